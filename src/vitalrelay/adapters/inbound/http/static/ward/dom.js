// Elements, changed only where they differ: what has the focus keeps it. Text is only ever text.

const SVG = 'http://www.w3.org/2000/svg';

/** `h('p', 'risk', child, …)`; a string becomes text. */
export function h(tag, names, ...children) {
  const element = document.createElement(tag);
  if (names) element.className = names;
  element.append(...children);
  return element;
}

const said = new WeakMap();

export function setText(element, text) {
  if (said.get(element) === text) return;
  said.set(element, text);
  element.textContent = text;
  element.hidden = text === '';
}

export function setMark(element, name, value) {
  const text = String(value);
  if (element.dataset[name] !== text) element.dataset[name] = text;
}

const SHAPES = {
  high: 'M8 1 15.5 15H.5Z',
  medium: 'M8 .5 15.5 8 8 15.5.5 8Z',
  'low-medium': 'M8 .5 15.5 8 8 15.5.5 8ZM8 3.6 3.6 8 8 12.4 12.4 8Z',
  low: 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13Z',
  'low-partial': 'M8 1.5a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13ZM8 3.7v8.6a4.3 4.3 0 0 0 0-8.6Z',
  unknown: 'M2 2h12v12H2ZM4.2 4.2v7.6h7.6V4.2Z',
  'not-monitored': 'M1.5 6.5h13v3h-13Z',
};

/** A drawing, since colour alone tells nobody anything. Screen readers get the word beside it. */
export function shape() {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('aria-hidden', 'true');
  svg.classList.add('shape');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('fill-rule', 'evenodd');
  svg.append(path);
  return svg;
}

export function setShape(svg, kind) {
  const path = SHAPES[kind] ?? SHAPES.unknown;
  if (svg.firstChild.getAttribute('d') !== path) svg.firstChild.setAttribute('d', path);
}
