// Sending somebody away: asked once, and then what still opens the stage to them, with the way to close it.

import { useEffect, useRef } from 'preact/hooks';
import type { Removed } from '../wire/api';
import type { App } from './app';
import { CopyField } from './invitations';
import type { Removing } from './state';

export function Removal({ app }: { app: App }) {
  const { removing } = app.state;
  const dialog = useRef<HTMLDialogElement>(null);
  const isOpen = !!removing;
  useEffect(() => {
    if (isOpen) dialog.current?.showModal();
  }, [isOpen]);
  if (!removing) return null;
  // Closed rather than dropped, so that the focus goes back to where it was.
  const part = { app, removing, close: () => dialog.current?.close() };
  return (
    <dialog
      ref={dialog}
      aria-labelledby="removal-title"
      onClose={() => app.change({ removing: undefined })}
    >
      {!removing.opens && <Ask {...part} />}
      {removing.opens && !removing.link && <StillOpen {...part} />}
      {removing.link && <Renewed {...part} />}
    </dialog>
  );
}

interface Part {
  app: App;
  removing: Removing;
  close(): void;
}

function Ask({ app, removing, close }: Part) {
  const { say } = app.state.say;
  const { id, name } = removing;
  const remove = async () => {
    const done = app.calls.remove(id).then((said) => {
      const opens = whatOpens(said);
      if (opens) app.change({ removing: { ...removing, opens } });
      else close();
      return said;
    });
    if (!(await app.wish(done, say('did_remove', { name })))) close();
  };
  return (
    <>
      <h2 id="removal-title">{say('remove_sure', { name })}</h2>
      <p>{say('remove_next')}</p>
      <div class="row">
        <button class="danger" onClick={() => void remove()}>
          {say('remove_yes')}
        </button>
        <button class="quiet" autofocus onClick={close}>
          {say('remove_no')}
        </button>
      </div>
    </>
  );
}

function whatOpens(said: Removed): Removing['opens'] {
  const { still_opens, id, opens_as } = said;
  if (still_opens === 'invitation' && id) return { by: 'invitation', id };
  if (still_opens === 'key' && opens_as) return { by: 'key', role: opens_as };
  return undefined;
}

/** Others came by the same link, or it is the room's own: closing it is the host's to decide. */
function StillOpen({ app, removing, close }: Part) {
  const { say } = app.state.say;
  const { name } = removing;
  const opens = removing.opens!;
  const mayClose = opens.by === 'invitation' || app.isHost();
  const takeBack = async () => {
    const done = opens.by === 'invitation' ? withdraw(app, opens.id) : app.calls.renew(opens.role);
    const shown = done.then((said) => {
      const link = opens.by === 'key' && said?.enter[opens.role];
      if (link) app.change({ removing: { ...removing, link } });
      else close();
    });
    if (!(await app.wish(shown, say('did_take_back')))) close();
  };
  return (
    <>
      <h2 id="removal-title">{say('did_remove', { name })}</h2>
      <p role="status">{say(opens.by === 'key' ? 'opens_key' : 'opens_invitation', { name })}</p>
      <p>{say(mayClose ? 'take_back_next' : 'take_back_host')}</p>
      <div class="row">
        {mayClose && (
          <button class="danger" onClick={() => void takeBack()}>
            {say('take_back')}
          </button>
        )}
        <button class="quiet" onClick={close}>
          {say(mayClose ? 'take_back_no' : 'close')}
        </button>
      </div>
    </>
  );
}

async function withdraw(app: App, id: string): Promise<undefined> {
  await app.calls.withdraw(id);
  await app.lookInvitations();
}

function Renewed({ app, removing, close }: Part) {
  const { say } = app.state.say;
  return (
    <>
      <h2 id="removal-title">{say('renewed')}</h2>
      <p>{say('renewed_next')}</p>
      <CopyField app={app} link={removing.link!} />
      <div class="row">
        <button class="quiet" onClick={close}>
          {say('close')}
        </button>
      </div>
    </>
  );
}
