// The page for host and speakers: draws the state, whenever it changed.

import { render } from 'preact';
import { App } from './app';
import { Page } from './page';

const root = document.getElementById('m')!;
const app: App = new App(() => render(<Page app={app} />, root));
app.change({});
app.begin();
