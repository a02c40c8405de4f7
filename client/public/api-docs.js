// The script of /api/docs: search, copy, and requests to try. Served as it is, and without it the page can still be read.

/** Of an answer, this much is shown, in characters. */
const MAX_SHOWN = 100_000;
/** Headers of an answer that are worth a line. */
const SHOWN_HEADERS = ['content-type', 'etag', 'location', 'retry-after', 'ratelimit', 'x-request-id'];

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const one = (selector, within = document) => within.querySelector(selector);

for (const code of all('pre.curl')) {
  code.textContent = code.textContent.replace('https://app.example.com', location.origin);
}

// Search.
const search = one('.search input');
const contents = one('#contents');
const articles = all('main article').map((article) => ({
  article,
  link: one(`nav a[href="#${article.id}"]`).closest('li'),
  text: all('h3, .about > p', article)
    .map(({ textContent }) => textContent)
    .join(' ')
    .toLowerCase(),
}));
search.addEventListener('input', () => {
  const words = search.value.toLowerCase().split(/\s+/);
  let found = 0;
  for (const { article, link, text } of articles) {
    const matches = words.every((word) => text.includes(word));
    article.hidden = !matches;
    link.hidden = !matches;
    if (matches) found += 1;
  }
  for (const section of all('nav section, main > section')) {
    section.hidden = one('li:not([hidden]), article:not([hidden])', section) === null;
  }
  one('.none').hidden = found > 0;
  one('.found').textContent = `${found} found`;
});
search.addEventListener('keydown', ({ key }) => {
  if (key === 'Enter') one('nav li:not([hidden]) a')?.click();
});
addEventListener('keydown', (event) => {
  if (event.key !== '/' || event.target.matches('input, textarea') || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  if (!search.checkVisibility()) contents.showPopover();
  search.focus();
});

document.addEventListener('click', ({ target }) => {
  if (target.matches('nav a') && contents.matches(':popover-open')) contents.hidePopover();
  if (target.matches('.copy')) copy(target);
  if (target.matches('.choice button')) choose(target.value);
});

/** Shows all requests as curl, or as fetch. */
function choose(code) {
  document.body.dataset.code = code;
  for (const button of all('.choice button')) button.setAttribute('aria-pressed', button.value === code);
}

async function copy(button) {
  const code = all('pre', button.closest('.code')).find((shown) => shown.checkVisibility());
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = 'Copied';
  } catch {
    // Without TLS there is no clipboard: the text is selected, to be copied by hand.
    getSelection().selectAllChildren(code);
    button.textContent = 'Selected';
  }
  setTimeout(() => {
    button.textContent = 'Copy';
  }, 2_000);
}

/** Asks before what may change something. Resolves with whether to go on. */
function confirmed(text) {
  const dialog = one('dialog');
  one('code', dialog).textContent = text;
  for (const button of all('button', dialog)) button.onclick = () => dialog.close(button.value);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.onclose = () => resolve(dialog.returnValue === 'send');
  });
}

/** The address that a form describes, on this origin. */
function addressOf(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = {};
  for (const { name, value } of all('input', form)) {
    const [place, key] = name.split(/:(.*)/);
    if (place === 'path') path = path.replace(`{${key}}`, encodeURIComponent(value));
    else if (value !== '' && place === 'query') query.append(key, value);
    else if (value !== '') headers[key] = value;
  }
  return { address: query.size > 0 ? `${path}?${query}` : path, headers };
}

/** Reads an answer while it comes: a stream may never end. */
async function readShown(response, show) {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (text.length < MAX_SHOWN) {
    const { done, value } = await reader.read();
    if (done) return show(text, true);
    text += value;
    show(text, false);
  }
  await reader.cancel();
  show(`${text.slice(0, MAX_SHOWN)}\n… the rest is not shown`, false);
}

const indented = (text, type) => {
  if (!/\bjson\b/.test(type)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
};

/** The request under way in each form. */
const running = new WeakMap();

async function send(form) {
  const button = one('.actions button', form);
  if (running.has(form)) return running.get(form).abort();
  const { method } = form.dataset;
  const { address, headers } = addressOf(form);
  if (method !== 'GET' && !(await confirmed(`${method} ${address}`))) return;
  const key = one('#key').value.trim();
  if (key !== '') headers.Authorization = `Bearer ${key}`;
  const body = one('textarea', form)?.value;
  if (body !== undefined) headers['Content-Type'] = 'application/json';

  const outcome = one('.outcome', form);
  one('pre', form)?.remove();
  const shown = document.createElement('pre');
  shown.tabIndex = 0;
  const abort = new AbortController();
  running.set(form, abort);
  button.textContent = 'Stop';
  outcome.textContent = 'Waiting for the answer.';
  const begun = performance.now();
  try {
    // Also what a redirect leads to must be of this origin: the key is for this server alone.
    const response = await fetch(address, {
      method,
      headers,
      body,
      mode: 'same-origin',
      cache: 'no-store',
      signal: abort.signal,
    });
    const took = Math.round(performance.now() - begun);
    outcome.textContent = `${response.status} ${response.statusText} in ${took} ms`;
    outcome.dataset.ok = response.ok;
    const lines = SHOWN_HEADERS.flatMap((name) =>
      response.headers.has(name) ? `${name}: ${response.headers.get(name)}` : [],
    );
    shown.textContent = lines.join('\n');
    form.append(shown);
    const type = response.headers.get('content-type') ?? '';
    await readShown(response, (text, isWhole) => {
      shown.textContent = [...lines, '', isWhole ? indented(text, type) : text].join('\n');
    });
  } catch (error) {
    if (abort.signal.aborted) outcome.textContent += ' · stopped';
    else {
      outcome.dataset.ok = false;
      outcome.textContent =
        error instanceof TypeError && /header|value/i.test(error.message)
          ? `The request cannot be sent: ${error.message}`
          : 'No answer. The server cannot be reached.';
    }
  } finally {
    running.delete(form);
    button.textContent = 'Send';
  }
}

for (const details of all('.try')) {
  details.addEventListener('toggle', () => {
    if (one('form', details)) return;
    details.append(one('template', details).content.cloneNode(true));
    const form = one('form', details);
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      send(form);
    });
  });
}
