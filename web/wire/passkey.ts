// Passkeys (WebAuthn Level 3), in the JSON forms that the API speaks too.

import { call, list } from './api';

interface Start<T> {
  publicKey?: T;
}

/** Whether this browser can. */
export function canPasskey(): boolean {
  return !!window.PublicKeyCredential?.parseCreationOptionsFromJSON;
}

/** One that was made. */
export interface Passkey {
  id: string;
  label: string;
  room: string | null;
  made_at: string;
  used_at: string;
}

/** The passkeys of whoever is signed in, for one room or as operator. */
export async function passkeys(room: string | null): Promise<Passkey[]> {
  return list<Passkey>(await call('/api/v1/passkeys'), 'passkeys').filter((one) => one.room === room);
}

export const forget = (id: string) => call<void>('/api/v1/passkeys/' + id, { method: 'DELETE' });

/** Makes a passkey for whoever is signed in, for a room or as operator. */
export async function register(room: string | null): Promise<void> {
  const said = await call<Start<PublicKeyCredentialCreationOptionsJSON>>('/api/v1/passkeys/register/start', {
    body: room ? { room } : {},
  });
  const options = said.publicKey ?? (said as PublicKeyCredentialCreationOptionsJSON);
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
  const made = await navigator.credentials.create({ publicKey });
  await call('/api/v1/passkeys/register/finish', { body: (made as PublicKeyCredential).toJSON() });
}

/** Signs in with one. */
export async function login(): Promise<void> {
  const said = await call<Start<PublicKeyCredentialRequestOptionsJSON>>('/api/v1/passkeys/login/start', {
    body: {},
  });
  const options = said.publicKey ?? (said as PublicKeyCredentialRequestOptionsJSON);
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  const shown = await navigator.credentials.get({ publicKey });
  await call('/api/v1/passkeys/login/finish', { body: (shown as PublicKeyCredential).toJSON() });
}
