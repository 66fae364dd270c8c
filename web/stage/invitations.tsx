// Links that let somebody onto the stage, as text and as a square for a phone's camera.

import { correction, generate, mode } from 'lean-qr';
import { useState } from 'preact/hooks';
import type { Invitation } from '../wire/api';
import type { App } from './app';

/** Light around the square, in modules: less, and cameras miss it (ISO/IEC 18004). */
const QUIET_MODULES = 4;

export function Invitations({ app }: { app: App }) {
  const { say, invitations } = app.state;
  const [made, show] = useState<Invitation>();
  const [label, write] = useState('');
  const invite = async (role: 'speaker' | 'cohost') => {
    const making = app.calls.invite(role, label.trim() || undefined).then((invitation) => {
      show(invitation);
      write('');
    });
    if (await app.wish(making, say.say('did_invite'))) await app.lookInvitations();
  };
  return (
    <details class="panel" onToggle={(event) => event.currentTarget.open && void app.lookInvitations()}>
      <summary>{say.say('invite')}</summary>
      <label class="field">
        {say.say('invite_label')}
        <input maxLength={40} value={label} onInput={(event) => write(event.currentTarget.value)} />
      </label>
      <div class="row">
        <button class="quiet" onClick={() => void invite('speaker')}>
          {say.say('invite_speaker')}
        </button>
        {app.isHost() && (
          <button class="quiet" onClick={() => void invite('cohost')}>
            {say.say('invite_cohost')}
          </button>
        )}
      </div>
      {made?.link && <Link app={app} invitation={made} link={made.link} />}
      {invitations.length > 0 && (
        <ul class="list">
          {invitations.map((one) => (
            <li key={one.id}>
              <span>
                <b>{one.label || say.say('invite_unnamed')}</b>{' '}
                <span class="soft">{say.say(`role_${one.role}`)}</span>
              </span>
              <button
                class="quiet"
                onClick={() =>
                  void app
                    .wish(app.calls.withdraw(one.id), say.say('did_withdraw'))
                    .then(() => app.lookInvitations())
                }
              >
                {say.say('invite_withdraw')}
                <span class="vh"> {one.label}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
    </details>
  );
}

function Link({ app, invitation, link }: { app: App; invitation: Invitation; link: string }) {
  const { say } = app.state;
  return (
    <div class="invitation">
      <Square text={link} label={say.say('invite_square')} />
      <p>
        {say.say('invite_made', { role: say.say(`role_${invitation.role}`) })}{' '}
        <span class="soft">{say.say('invite_once')}</span>
      </p>
      <CopyField app={app} link={link} />
    </div>
  );
}

/** A link, to be taken by hand or by key. */
export function CopyField({ app, link }: { app: App; link: string }) {
  const { say } = app.state;
  const [copied, copy] = useState(false);
  return (
    <>
      <label class="field">
        {say.say('invite_link')}
        <input readOnly value={link} onFocus={(event) => event.currentTarget.select()} />
      </label>
      <button
        class="quiet"
        onClick={() =>
          void navigator.clipboard
            .writeText(link)
            .then(() => copy(true))
            .catch(() => {})
        }
      >
        {say.say(copied ? 'copied' : 'copy')}
      </button>
    </>
  );
}

/** The text as a QR code (ISO/IEC 18004), dark on light in any colour scheme. */
function Square({ text, label }: { text: string; label: string }) {
  const code = generate(text, {
    modes: [mode.alphaNumeric, mode.ascii, mode.utf8],
    minCorrectionLevel: correction.M,
  });
  let dark = '';
  for (let y = 0; y < code.size; y++) {
    for (let x = 0; x < code.size; x++) {
      if (code.get(x, y)) dark += `M${x + QUIET_MODULES} ${y + QUIET_MODULES}h1v1h-1z`;
    }
  }
  const side = code.size + 2 * QUIET_MODULES;
  return (
    <svg
      class="square"
      viewBox={`0 0 ${side} ${side}`}
      role="img"
      aria-label={label}
      shape-rendering="crispEdges"
    >
      <rect width={side} height={side} fill="#fff" />
      <path d={dark} fill="#000" />
    </svg>
  );
}
