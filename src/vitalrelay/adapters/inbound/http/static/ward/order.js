// Children of a list, by key and in order, with as few moves as it takes: a move is what costs.

/**
 * Made, dropped and put in order; returns whether one with the focus was dropped. What has the
 * focus is never moved itself, or it would lose it: the others are moved around it.
 */
export function arrange(list, kept, wanted, make) {
  const keys = new Set(wanted);
  let lost = false;
  for (const [key, item] of kept) {
    if (keys.has(key)) continue;
    lost ||= item.element.contains(document.activeElement);
    item.element.remove();
    kept.delete(key);
  }
  for (const key of wanted) if (!kept.has(key)) kept.set(key, make(key));
  order(list, wanted.map((key) => kept.get(key).element));
  return lost;
}

function order(list, elements) {
  const place = new Map([...list.children].map((element, index) => [element, index]));
  const places = elements.map((element) => place.get(element));
  if (places.length === place.size && places.every((old, index) => old === index)) return;
  const pinned = elements.findIndex((element) => element.contains(document.activeElement));
  const stay = longestRise(places, pinned);
  let next = null;
  for (let index = elements.length - 1; index >= 0; index -= 1) {
    if (!stay.has(index)) list.insertBefore(elements[index], next);
    next = elements[index];
  }
}

/** The most that can stay where they are, the pinned one among them: their places only rise. */
function longestRise(places, pinned) {
  const middle = places[pinned];
  const free = (old, index) =>
    pinned < 0 || index === pinned || (index < pinned ? old < middle : old > middle);
  const ends = []; // of rises of each length, the one that ends lowest
  const before = [];
  places.forEach((old, index) => {
    if (old === undefined || !free(old, index)) return;
    const found = ends.findIndex((end) => places[end] >= old);
    const length = found < 0 ? ends.length : found;
    before[index] = ends[length - 1];
    ends[length] = index;
  });
  const stay = new Set();
  for (let index = ends.at(-1); index !== undefined; index = before[index]) stay.add(index);
  return stay;
}
