// The worker that keeps the page and its ticket while the node is gone: registered by those who hold a
// ticket, gone with the end of the conversation.

import type { Door } from './door';

/** A crowd that waits asks for the worker within this, one ticket a millisecond. */
const SPREAD_MAX_MS = 60_000;

let asked = false;

/** Has the page kept, and lets a kept page make way for the node's own as soon as there is one. */
export function shelter(door: Door, isWanted: boolean): void {
  if (door.given.kept && door.reached() && !isWanted) location.reload();
  if (asked || !('serviceWorker' in navigator)) return;
  asked = true;
  const { path, given } = door;
  setTimeout(
    () => void register(path, given.inside).catch(() => {}), // A browser that wants none goes without.
    Math.random() * Math.min(SPREAD_MAX_MS, door.status().tickets ?? 0),
  );
}

async function register(path: string, inside: string): Promise<void> {
  const { serviceWorker } = navigator;
  const options: RegistrationOptions = { scope: path, updateViaCache: 'none' };
  const registration = await serviceWorker.register(path + '/worker.js', options);
  const worker = registration.active ?? registration.waiting ?? registration.installing;
  worker?.postMessage({ keep: location.href, inside });
}

/** Takes the worker away. */
export async function unshelter(path: string): Promise<void> {
  if (!('serviceWorker' in navigator)) return;
  const registrations = await navigator.serviceWorker.getRegistrations().catch(() => []);
  for (const one of registrations) if (new URL(one.scope).pathname === path) await one.unregister();
  await caches.delete('tribune' + path).catch(() => {});
}
