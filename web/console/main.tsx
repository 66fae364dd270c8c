// The operator's page: draws the state, whenever it changed.

import { render } from 'preact';
import { Console } from './console';
import { Page } from './page';

const root = document.getElementById('m')!;
const app: Console = new Console(root, () => render(<Page app={app} />, root));
app.change({});
app.begin();
