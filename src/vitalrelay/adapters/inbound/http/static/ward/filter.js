// Which patients are shown: by site and by a part of the id, kept in the address.

import { setText } from './dom.js';
import { groupOf } from './patients.js';

const form = document.getElementById('filter');
const hiddenOnes = document.getElementById('hidden-ones');
const { site, subject } = form.elements;

/** `changed` is called whenever the choice changed. */
export function watchFilter(changed) {
  form.addEventListener('input', () => {
    history.replaceState(null, '', `#${new URLSearchParams(chosen())}`);
    changed();
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  addEventListener('hashchange', () => { fromAddress(); changed(); });
  fromAddress();
}

function fromAddress() {
  const address = new URLSearchParams(location.hash.slice(1));
  offer(address.get('site') ?? '');
  site.value = address.get('site') ?? '';
  subject.value = address.get('subject') ?? '';
}

function chosen() {
  const words = { site: site.value, subject: subject.value.trim() };
  return Object.entries(words).filter(([, text]) => text);
}

function offer(name) {
  if ([...site.options].some(({ value }) => value === name)) return;
  const after = [...site.options].slice(1).find(({ value }) => value > name);
  site.add(new Option(name, name), after ?? null);
}

export function isShown({ siteId, subjectId }) {
  const part = subject.value.trim().toLowerCase();
  return (!site.value || site.value === siteId) && subjectId.toLowerCase().includes(part);
}

/** Nobody is hidden in silence. */
export function showFilter(patients) {
  for (const { snapshot } of patients) offer(snapshot.siteId);
  const away = patients.filter(({ snapshot }) => !isShown(snapshot));
  const high = away.filter(({ snapshot }) => groupOf(snapshot) === 'high').length;
  const words = `${patients.length - away.length} of ${patients.length} patients shown`;
  const urgent = high ? `; ${high} of those hidden at high risk` : '';
  setText(hiddenOnes, away.length ? words + urgent : '');
}
