// Draws the charts of the report with Chart.js, which stands in a script element of its own. Every chart is
// plain data (chart-spec.ts) in the element with the id "charts".
(() => {
  const specs = JSON.parse(document.getElementById('charts').textContent);
  const dark = window.matchMedia('(prefers-color-scheme: dark)');
  const drawn = new Map();

  Chart.defaults.animation = false;
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;

  function variable(name) {
    return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  }

  function isLight(hex) {
    const channels = [1, 3, 5].map((at) => Number.parseInt(hex.slice(at, at + 2), 16));
    const alpha = hex.length > 7 ? Number.parseInt(hex.slice(7), 16) / 255 : 1;
    const under = dark.matches ? 22 : 255;
    const [r, g, b] = channels.map((channel) => channel * alpha + under * (1 - alpha));
    return 0.299 * r + 0.587 * g + 0.114 * b > 140;
  }

  // Chart.js has one bar per row and data set: data set k holds the k-th bar of every row.
  function dataSets(spec) {
    const perRow = spec.rows.map(() => []);
    for (const bar of spec.bars) perRow[bar.row].push(bar);
    const depth = Math.max(1, ...perRow.map((bars) => bars.length));
    return Array.from({ length: depth }, (_, k) => {
      const bars = perRow.map((row) => row[k] ?? null);
      return {
        bars,
        data: bars.map((bar) => (bar === null ? null : [bar.from, bar.to])),
        backgroundColor: bars.map((bar) => (bar === null ? '' : bar.color[dark.matches ? 'dark' : 'light'])),
        borderColor: variable('--surface'),
        borderWidth: { left: 0, right: 1, top: 0, bottom: 0 },
        borderSkipped: false,
        grouped: false,
        barPercentage: 0.72,
        categoryPercentage: 1,
        minBarLength: 1.5,
      };
    });
  }

  function fontOf(size, weight) {
    return `${weight} ${size}px ${Chart.defaults.font.family}`;
  }

  function roomAtTheEnd(spec, context) {
    context.font = fontOf(12, 600);
    let widest = 0;
    for (const bar of spec.bars) {
      if (bar.after !== '' && bar.to > spec.max * 0.6) {
        widest = Math.max(widest, (context.measureText(bar.after).width + 8) * (bar.to / spec.max));
      }
    }
    return Math.ceil(widest) + 4;
  }

  // Marks that do not touch each other; the last one stays, it says how long everything takes.
  function roomyTicks(spec, width, context) {
    context.font = fontOf(11, 400);
    const rows = Math.max(...spec.rows.map((row) => context.measureText(row).width));
    const pixels = (width - rows - 30) / spec.max;
    const half = ({ label }) => context.measureText(label).width / 2 + 5;
    const last = spec.ticks[spec.ticks.length - 1];
    const kept = [];
    for (const tick of spec.ticks) {
      const before = kept[kept.length - 1];
      const isFree = (other, room) => (other.at - room.at) * pixels >= half(other) + half(room);
      if (tick === last || ((before === undefined || isFree(tick, before)) && isFree(last, tick)))
        kept.push(tick);
    }
    return kept;
  }

  const labels = {
    id: 'labels',
    afterDatasetsDraw(chart) {
      const { ctx } = chart;
      ctx.save();
      ctx.textBaseline = 'middle';
      chart.data.datasets.forEach((set, k) => {
        chart.getDatasetMeta(k).data.forEach((element, row) => {
          const bar = set.bars[row];
          if (bar === null) return;
          const left = Math.min(element.base, element.x);
          const right = Math.max(element.base, element.x);
          ctx.font = fontOf(11, 500);
          ctx.textAlign = 'left';
          if (bar.inside !== '' && ctx.measureText(bar.inside).width + 8 <= right - left) {
            ctx.fillStyle = isLight(set.backgroundColor[row]) ? '#14181f' : '#ffffff';
            ctx.fillText(bar.inside, left + 4, element.y + 0.5);
          }
          if (bar.after !== '') {
            ctx.font = fontOf(12, 600);
            ctx.fillStyle = variable('--ink');
            ctx.fillText(bar.after, right + 6, element.y + 0.5);
          }
        });
      });
      ctx.restore();
    },
  };

  const connections = {
    id: 'connections',
    beforeDatasetsDraw(chart) {
      const { ctx, scales, options } = chart;
      ctx.save();
      ctx.strokeStyle = variable('--muted');
      ctx.lineWidth = 1;
      ctx.font = fontOf(10.5, 400);
      const { right } = chart.chartArea;
      for (const row of options.separators) {
        const y = (scales.y.getPixelForValue(row - 1) + scales.y.getPixelForValue(row)) / 2;
        ctx.fillStyle = variable('--line');
        ctx.fillRect(0, y, right, 1);
      }
      ctx.fillStyle = variable('--muted');
      for (const link of options.connections) {
        const x1 = scales.x.getPixelForValue(link.fromX);
        const x2 = scales.x.getPixelForValue(link.toX);
        const y1 = scales.y.getPixelForValue(link.fromRow);
        const y2 = scales.y.getPixelForValue(link.toRow);
        ctx.setLineDash(link.label === '' ? [] : [3, 3]);
        ctx.beginPath();
        ctx.moveTo(x1, y1);
        ctx.lineTo(x2, y1);
        ctx.lineTo(x2, y2);
        ctx.stroke();
        if (link.label !== '' && ctx.measureText(link.label).width + 6 <= x2 - x1) {
          ctx.textAlign = 'center';
          ctx.textBaseline = 'bottom';
          ctx.fillText(link.label, (x1 + x2) / 2, y1 - 3);
        }
      }
      ctx.restore();
    },
  };

  function config(spec, context) {
    const muted = variable('--muted');
    let marks = spec.ticks;
    return {
      type: 'bar',
      data: { labels: spec.rows, datasets: dataSets(spec) },
      plugins: [connections, labels],
      options: {
        indexAxis: 'y',
        responsive: true,
        maintainAspectRatio: false,
        connections: spec.connections,
        separators: spec.separators,
        layout: { padding: { right: roomAtTheEnd(spec, context), top: 2 } },
        interaction: { mode: 'nearest', intersect: true },
        scales: {
          x: {
            min: 0,
            max: spec.max,
            border: { display: false },
            grid: { color: variable('--line'), drawTicks: false },
            ticks: {
              color: muted,
              font: { size: 11 },
              padding: 6,
              maxRotation: 0,
              autoSkip: false,
              callback: (_value, i) => marks[i]?.label ?? '',
            },
            afterBuildTicks: (axis) => {
              marks = roomyTicks(spec, axis.chart.width, context);
              axis.ticks = marks.map(({ at }) => ({ value: at }));
            },
          },
          y: {
            border: { display: false },
            grid: { display: false },
            ticks: { color: variable('--ink'), font: { size: 12 }, autoSkip: false, padding: 4 },
          },
        },
        plugins: {
          legend: { display: false },
          tooltip: {
            displayColors: false,
            callbacks: {
              title: ([item]) => item.dataset.bars[item.dataIndex].tip[0],
              label: (item) => item.dataset.bars[item.dataIndex].tip.slice(1),
            },
          },
        },
      },
    };
  }

  function draw() {
    for (const spec of specs) {
      const canvas = document.getElementById(spec.id);
      canvas.parentElement.style.height = `${spec.rows.length * spec.rowHeightPx + 34}px`;
      drawn.get(spec.id)?.destroy();
      drawn.set(spec.id, new Chart(canvas, config(spec, canvas.getContext('2d'))));
    }
  }

  function paintSwatches() {
    for (const element of document.querySelectorAll('[data-light]')) {
      element.style.backgroundColor = element.dataset[dark.matches ? 'dark' : 'light'];
    }
  }

  function paint() {
    draw();
    paintSwatches();
  }

  paint();
  dark.addEventListener('change', paint);
  window.addEventListener('beforeprint', () => {
    for (const chart of drawn.values()) chart.resize();
  });
})();
