// Evaluated inside the report by report-page.ts; its value is a PageFacts.
(() => {
  const isBlank = (canvas) => {
    if (canvas.width === 0 || canvas.height === 0) return true;
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const colors = new Set();
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] > 0) colors.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    }
    return colors.size < 4;
  };
  const canvases = [...document.querySelectorAll('canvas')];
  const root = document.documentElement;
  return {
    canvases: canvases.length,
    blank: canvases.filter(isBlank).map(({ id }) => id),
    silent: canvases.filter((canvas) => !canvas.getAttribute('aria-label')).map(({ id }) => id),
    overflow: root.scrollWidth - root.clientWidth,
    rows: [...document.querySelectorAll('.results tbody tr')].map((row) => row.dataset.backend),
    title: document.title,
    lang: root.lang,
  };
})();
