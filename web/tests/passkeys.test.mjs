// Passkeys with Chromium's own authenticator in software: made by who is signed in, shown instead of a key, taken back.

import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { KEY, RealNode } from './real-node.mjs';
import { Visit, launch } from './visit.mjs';

const AUTHENTICATOR = {
  protocol: 'ctap2',
  transport: 'internal',
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
};

let node, browser;

before(async () => {
  node = await new RealNode().start({ named: true });
  browser = await launch(['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream']);
});

after(async () => {
  await browser?.close();
  await node?.stop();
});

afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
});

/** A visitor whose device has an authenticator: what it holds, and what the person before it does. */
async function visit(url) {
  const visitor = await Visit.to(browser, url, { origins: [new URL(node.origin).origin] });
  visitor.device = await visitor.context.newCDPSession(visitor.page);
  await visitor.device.send('WebAuthn.enable');
  const { authenticatorId } = await visitor.device.send('WebAuthn.addVirtualAuthenticator', {
    options: AUTHENTICATOR,
  });
  visitor.holds = () => visitor.device.send('WebAuthn.getCredentials', { authenticatorId });
  visitor.verify = (isUserVerified) =>
    visitor.device.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified });
  return visitor;
}

const signOut = async (visitor, url) => {
  await visitor.context.clearCookies();
  await visitor.page.goto(url);
};

test('a host makes a passkey on the desk, comes back by it without a key, and not once it is taken back', async () => {
  const room = await node.room();
  const stage = `${node.stage}/${room.name}/stage`;
  const ada = await visit(`${stage}#key=${room.keys.host}`);
  const { page } = ada;
  await page.fill('[name=name]', 'Ada');
  await page.check('[name=accept]');
  await page.click('.join button:not([disabled])');
  await page.click('summary:has-text("Passkeys")');
  await page.click('button:text-is("Make a passkey for yourself")');
  await ada.reads(/Passkey used on/);
  const { credentials } = await ada.holds();
  assert.deepEqual(
    credentials.map(({ rpId, isResidentCredential }) => [rpId, isResidentCredential]),
    [['localhost', true]],
  );

  await signOut(ada, stage);
  await ada.reads(/Use a passkey/);
  // Who does not show the device that it is they gets in by nothing.
  await ada.verify(false);
  await page.click('text=Use a passkey');
  await ada.reads(/No passkey was used/);
  await ada.verify(true);
  await page.click('text=Use a passkey');
  await page.waitForSelector('summary:has-text("Passkeys")');

  await page.click('summary:has-text("Passkeys")');
  await page.click('button:has-text("Remove Passkey")');
  // It was what opened this browser's sign-in too.
  await ada.reads(/You are signed out|Use a passkey/);
  await signOut(ada, stage);
  await page.click('text=Use a passkey');
  await ada.reads(/passkey is not known|not valid/);
  assert.deepEqual(ada.wrong, []);
});

test('the operator makes one in the console, and runs the rooms by it', async () => {
  await node.room({ title: 'Bread and roses' });
  const op = await visit(`${node.stage}/console`);
  const { page } = op;
  await page.fill('[name=key]', KEY);
  await page.click('main button');
  await page.click('button:text-is("Make a passkey for yourself")');
  await op.reads(/The passkey is made/);
  await page.click('button:text-is("Sign out")');
  await page.click('text=Use a passkey');
  await page.waitForSelector('button:text-is("Sign out")');
  await op.reads(/Bread and roses/);
  assert.deepEqual(op.wrong, []);
});
