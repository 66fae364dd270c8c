// A visitor: a browser with one page open, which notes everything that must never happen.

import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

/** How long a test waits for what must come, in ms: on a slow machine too. What is to be quick is measured. */
export const PATIENCE_MS = 120_000;
/**
 * How often it looks, in ms. By a timer: the frames that are the default are drawn for the window in front
 * only, so that one behind another may never be looked at.
 */
export const LOOKS_EVERY_MS = 50;

export function launch(more = []) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--mute-audio', ...more],
  });
}

export class Visit {
  static async to(browser, url, options = {}) {
    const visit = new Visit();
    visit.context = await browser.newContext({
      viewport: { width: 360, height: 800 },
      locale: 'en-GB',
      timezoneId: 'Europe/Paris',
      ...options.context,
    });
    visit.context.setDefaultTimeout(PATIENCE_MS);
    if (options.clock) await visit.context.clock.install();
    if (options.script) await visit.context.addInitScript(options.script, options.given);
    visit.wrong = [];
    visit.urls = [];
    visit.context.on('request', (request) => visit.urls.push(request.url()));
    visit.page = await visit.context.newPage();
    visit.page.on('pageerror', (error) => visit.wrong.push(`script: ${error.message}`));
    visit.page.on('console', (message) => {
      if (/Content.Security.Policy/i.test(message.text())) visit.wrong.push(message.text());
    });
    await visit.page.goto(url);
    visit.origins = [new URL(url).origin, ...(options.origins ?? [])];
    return visit;
  }

  /** Another window of the same browser; it leaves with the first. */
  async window(url) {
    const page = await this.context.newPage();
    await page.goto(url);
    return Object.assign(new Visit(), { context: this.context, page });
  }

  /** Waits until the page's own words match. */
  async reads(words) {
    await this.page
      .waitForFunction(
        ([source, flags]) => new RegExp(source, flags).test(document.body.innerText),
        [words.source, words.flags],
        { polling: LOOKS_EVERY_MS },
      )
      .catch(async (error) => {
        throw new Error(
          `the page never said ${words}; it says:\n${await this.page.innerText('body')}\n${error.message}`,
        );
      });
  }

  audio() {
    return this.page.evaluate(() => {
      const { currentTime, paused, playbackRate, buffered } = document.getElementById('a');
      return {
        currentTime,
        paused,
        playbackRate,
        end: buffered.length ? buffered.end(buffered.length - 1) : 0,
      };
    });
  }

  /** Waits until the sound has moved on by `seconds` from where it is now. */
  async hears(seconds) {
    const from = (await this.audio()).currentTime;
    await this.page.waitForFunction((to) => document.getElementById('a').currentTime >= to, from + seconds, {
      polling: LOOKS_EVERY_MS,
    });
  }

  /** Waits until what comes out of the element is not silence: its level, as a share of full scale. */
  level() {
    return this.page
      .waitForFunction(
        () => {
          // What is captured ends with what the element plays: the next needs an ear of its own.
          const element = document.getElementById('a');
          if (window.analysed !== element.src) {
            const context = (window.context ??= new AudioContext());
            window.analyser = context.createAnalyser();
            context.createMediaStreamSource(element.captureStream()).connect(window.analyser);
            window.analysed = element.src;
          }
          const samples = new Float32Array(window.analyser.fftSize);
          window.analyser.getFloatTimeDomainData(samples);
          const level = Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
          return level > 0.02 && level;
        },
        null,
        { polling: LOOKS_EVERY_MS },
      )
      .then((handle) => handle.jsonValue());
  }

  async leave() {
    await this.context.close();
    assert.deepEqual(this.wrong, []);
    const strangers = this.urls.filter(
      (url) => !/^(data|blob):/.test(url) && !this.origins.includes(new URL(url).origin),
    );
    assert.deepEqual(strangers, [], 'nothing is asked of another origin');
  }
}
