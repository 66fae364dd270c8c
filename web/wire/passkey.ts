// Passkeys (WebAuthn Level 3), in the JSON forms that the API speaks too.

import { call } from './api';

interface Start<T> {
  publicKey?: T;
}

/** Whether this browser can. */
export function canPasskey(): boolean {
  return !!window.PublicKeyCredential?.parseCreationOptionsFromJSON;
}

/** Makes a passkey for whoever is signed in. */
export async function register(): Promise<void> {
  const said = await call<Start<PublicKeyCredentialCreationOptionsJSON>>('/api/v1/passkeys/register/start', {
    body: {},
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
