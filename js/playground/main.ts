// The page: connects the session with terminal, settings and pictures, and runs loads in pieces between two pictures.

import { Chart } from './chart.js';
import { Controls } from './controls.js';
import { element, prefersStillness } from './dom.js';
import { count, percent } from './format.js';
import { MemoryView } from './memory.js';
import { ratio } from './series.js';
import { Session } from './session.js';
import { Scores } from './scores.js';
import { Terminal } from './terminal.js';

/** Time of a frame that the load takes. */
const WORK_MS = 10;
/** Requests between two looks at the time. */
const PIECE = 200;
/** Time between two pictures of a load. */
const PICTURE_MS = 80;
/** Time between two pictures for people who asked for less motion. */
const STILL_MS = 1_000;
/** Time between two changes of the line about progress. */
const PROGRESS_MS = 250;

const controls = new Controls({ resized: renew, policyChosen, runPressed, resetPressed: renew });
let session = new Session(controls.maxSize, controls.policy);
const terminal = new Terminal({
  execute(request) {
    const reply = session.execute(request);
    if (request.name === 'lru') controls.policy = session.engine.policy;
    draw();
    return reply;
  },
  reconnect: () => session.engine.reconnect(),
  isClosed: () => session.engine.isClosed,
});
const chart = new Chart(element('chart'));
const memory = new MemoryView(element<HTMLCanvasElement>('map'));
const scores = new Scores();
const progress = element('progress');
let isRunning = false;
/** Wall time that the load has taken, and when it went on. */
let spent = 0;
let since = 0;
let drawn = 0;
let told = 0;

terminal.note('Connected to a cache in this page. Try one of the examples below, or type “stats”.');
draw();
new ResizeObserver(draw).observe(element('chart'));
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);

function draw(): void {
  drawn = performance.now();
  scores.draw(session, controls.policy);
  chart.draw(session.series);
  memory.draw(session.engine.map());
}

function renew(): void {
  isRunning = false;
  session.dispose();
  session = new Session(controls.maxSize, controls.policy);
  controls.showRun('Run the load');
  progress.textContent = '';
  terminal.restart();
  terminal.note(`A new, empty cache of ${controls.maxSize / 2 ** 20} MiB.`);
  draw();
}

function policyChosen(): void {
  session.engine.setPolicy(controls.policy);
  draw();
}

function runPressed(): void {
  if (isRunning) {
    isRunning = false;
    spent += performance.now() - since;
    session.pause();
    controls.showRun('Go on');
    return;
  }
  if (session.load === undefined) {
    spent = 0;
    session.begin(controls.load);
    terminal.offerKeys(['item:0', 'item:1', 'item:2']);
  }
  isRunning = true;
  since = performance.now();
  controls.showRun('Pause');
  requestAnimationFrame(frame);
}

function frame(): void {
  if (!isRunning) return;
  const begun = performance.now();
  let goesOn = true;
  while (goesOn && performance.now() - begun < WORK_MS) goesOn = session.advance(PIECE);
  if (!goesOn) return finish();
  if (performance.now() - drawn >= (prefersStillness() ? STILL_MS : PICTURE_MS)) draw();
  if (performance.now() - told >= PROGRESS_MS) tell();
  requestAnimationFrame(frame);
}

function tell(): void {
  told = performance.now();
  const seconds = (spent + told - since) / 1000;
  const requests = session.load?.requests ?? session.done;
  const rate = count(Math.round(session.done / seconds / 1000) * 1000);
  progress.textContent = `${count(session.done)} of ${count(requests)} requests, ${rate} a second`;
}

function finish(): void {
  isRunning = false;
  tell();
  controls.showRun('Run the load');
  draw();
  const { total } = session.series;
  const [ours, lru] = [percent(ratio(total.ours, total.reads)), percent(ratio(total.lru, total.reads))];
  terminal.note(`A load of ${count(session.done)} requests has ended. Hit ratio since the start: ${ours}, exact LRU ${lru}.`);
}
