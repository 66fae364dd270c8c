// The worker of one room's page. While the node answers, it is as if it were not there; when the node does
// not, it shows the page it kept last, as a 503, and that page asks on. It touches nothing else: no sound, no
// status, no ticket. It goes away with the room.

/** What is used of a worker's scope: its types and a page's cannot be had in one program. */
interface Worker {
  registration: { scope: string; unregister(): Promise<boolean> };
  clients: { matchAll(wish: { includeUncontrolled: boolean }): Promise<{ focus(): Promise<unknown> }[]> };
  addEventListener(kind: string, act: (event: Happening) => void): void;
  skipWaiting(): Promise<void>;
}

/** What a page asks: to be kept, with the rest of itself. */
interface Wish {
  keep: string;
  inside: string;
}

interface Happening {
  request: Request;
  data: unknown;
  notification: Notification;
  respondWith(answer: Promise<Response>): void;
  waitUntil(done: Promise<unknown>): void;
}

const worker = self as unknown as Worker;
const scope = new URL(worker.registration.scope);
const CACHE = 'tribune' + scope.pathname;
const PAGE = scope.pathname;
/** The node is given so long; then the kept page is shown, which asks on. */
const ANSWER_MS = 10_000;
/** How far the node's clock was ahead when the page was kept, in ms. */
const AHEAD = 'x-ahead-ms';
/** In the page's data: what time it is. */
const NOW = /"now":"([^"]+)"/;

worker.addEventListener('install', (event) => event.waitUntil(worker.skipWaiting()));
worker.addEventListener('message', (event) => event.waitUntil(begin(event.data as Wish)));
// Whoever was told by their device that it is their turn is led to the page that told it.
worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(worker.clients.matchAll({ includeUncontrolled: true }).then(([page]) => page?.focus()));
});
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== 'GET' || origin !== scope.origin) return;
  if (request.mode === 'navigate' && pathname === PAGE) event.respondWith(page(request, event));
  else if (pathname.startsWith('/assets/inside.')) event.respondWith(asset(request));
});

/** The node's own page, whatever it says; else the kept one. */
async function page(request: Request, event: Happening): Promise<Response> {
  try {
    const answer = await fetch(request, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (answer.status === 404) event.waitUntil(worker.registration.unregister());
    else if (answer.ok) event.waitUntil(keep(answer.clone()));
    if (answer.status < 502) return answer;
    return (await kept()) ?? answer;
  } catch (error) {
    const instead = await kept();
    if (instead) return instead;
    throw error;
  }
}

/** A name that changes with the content: the kept one is the right one. */
async function asset(request: Request): Promise<Response> {
  return (await caches.match(request)) ?? fetch(request);
}

async function begin({ keep: url, inside }: Wish): Promise<void> {
  const cache = await caches.open(CACHE);
  if (!(await cache.match(inside))) await cache.add(inside);
  if (await cache.match(PAGE)) return;
  const answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_MS) });
  if (answer.ok) await keep(answer);
}

async function keep(answer: Response): Promise<void> {
  const html = await answer.text();
  const now = NOW.exec(html)?.[1];
  if (!now) return;
  const headers = new Headers(answer.headers);
  for (const name of ['content-encoding', 'content-length', 'vary']) headers.delete(name);
  headers.set(AHEAD, String(Date.parse(now) - Date.now()));
  const cache = await caches.open(CACHE);
  await cache.put(PAGE, new Response(html, { headers }));
}

/** The kept page: it says that it is kept, and what time it is now. */
async function kept(): Promise<Response | undefined> {
  const cache = await caches.open(CACHE);
  const found = await cache.match(PAGE);
  if (!found) return undefined;
  const html = await found.text();
  const now = new Date(Date.now() + Number(found.headers.get(AHEAD))).toISOString();
  const headers = new Headers(found.headers);
  headers.set('cache-control', 'no-store');
  return new Response(html.replace(NOW, `"kept":true,"now":"${now}"`), { status: 503, headers });
}

export {};
