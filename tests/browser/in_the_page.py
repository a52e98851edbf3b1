"""What is asked inside the page: each a function that returns what is wrong, as a list."""

TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  const seen = [...document.body.querySelectorAll('*')].filter((one) => one.checkVisibility());
  const out = (one) => one.getBoundingClientRect().right > width + 0.5 && !one.closest('.unseen');
  return [
    ...(document.documentElement.scrollWidth > width ? ['the page scrolls sideways'] : []),
    ...seen.filter(out).map((one) => one.outerHTML.slice(0, 120)),
    ...seen.filter((one) => one.scrollWidth > one.clientWidth + 1 && one.matches('li, article, p'))
      .map((one) => `overflows: ${one.outerHTML.slice(0, 120)}`),
  ];
}"""

# WCAG 2.2, 1.4.3: relative luminance of the colours as computed, 4.5 to 1 for every text.
FAINT = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (part) =>
    (part /= 255) <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  const luminance = ([red, green, blue]) =>
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const behind = (one) => {
    for (; one; one = one.parentElement) {
      const colour = parts(getComputedStyle(one).backgroundColor);
      if ((colour[3] ?? 1) === 1) return colour;
    }
    return [255, 255, 255];
  };
  const ratio = (one) => {
    const [light, dark] = [parts(getComputedStyle(one).color), behind(one)]
      .map(luminance).sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const speaks = (one) =>
    [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  return [...document.body.querySelectorAll('*')]
    .filter((one) => one.checkVisibility() && !one.closest('.unseen, noscript') && speaks(one))
    .filter((one) => ratio(one) < 4.5)
    .map((one) => `${ratio(one).toFixed(2)}: ${one.outerHTML.slice(0, 120)}`);
}"""

NAMELESS = """() =>
  [...document.querySelectorAll('button, input, select, a[href], dialog[open], ol, ul')]
    .filter((one) => one.checkVisibility())
    .filter((one) => !(one.labels?.length || one.ariaLabel || one.getAttribute('aria-labelledby')
      || (one.matches('button, a') && one.textContent.trim())))
    .map((one) => one.outerHTML.slice(0, 120))
"""
