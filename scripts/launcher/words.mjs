/** Messages of the npm scripts on standard error: a progress line, and a final line. */
import { stopSignal } from './processes.mjs';

const out = process.stderr;
const colour = out.isTTY && !process.env.NO_COLOR;
const paint = (code) => (text) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
const dim = paint(2);
const green = paint(32);
const red = paint(31);

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export function say(text) {
  out.write(`${text}\n`);
}

/**
 * Shows a step with its elapsed seconds on a terminal, and its duration at the end.
 *
 * @param {string} doing as in "Installing packages"
 * @param {string} done as in "Packages installed"
 * @param {() => Promise<T>} work
 * @returns {Promise<T>}
 * @template T
 */
export async function step(doing, done, work) {
  const began = performance.now();
  const live = out.isTTY ? spin(doing, began) : undefined;
  if (!live) say(`${doing} …`);
  try {
    const result = await work();
    live?.stop();
    say(`${colour ? `${green('✓')} ` : ''}${done} ${dim(`in ${seconds(began)}`)}`);
    return result;
  } catch (error) {
    live?.stop();
    const how = stopSignal.aborted ? 'stopped' : 'failed';
    say(`${colour ? `${red('✗')} ` : ''}${doing}: ${how} ${dim(`after ${seconds(began)}`)}`);
    throw error;
  }
}

function spin(doing, began) {
  let frame = 0;
  const draw = () => {
    out.write(`\r\x1b[K${dim(FRAMES[frame++ % FRAMES.length])} ${doing} ${dim(seconds(began))}`);
  };
  draw();
  const timer = setInterval(draw, 100);
  return {
    stop() {
      clearInterval(timer);
      out.write('\r\x1b[K');
    },
  };
}

function seconds(began) {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}
