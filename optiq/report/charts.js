"use strict";
// Equity, drawdown and the path of the index, drawn by uPlot. All times are IST minutes of the day:
// the reader's own clock plays no part.
(() => {
  const drawn = JSON.parse(document.getElementById("drawn").textContent);
  const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
  const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
  const WEEKDAYS = "Sun Mon Tue Wed Thu Fri Sat".split(" ");
  const NEAR = 26; // pixels within which a mark is pointed at

  const colour = (name) =>
    getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const byId = (id) => document.getElementById(id);
  const grouping = (digits) =>
    new Intl.NumberFormat("en-IN", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const [whole, exact] = [grouping(0), grouping(2)];
  const rupees = (amount) => `${amount < 0 ? "−" : ""}₹${exact.format(Math.abs(amount))}`;
  const level = (value) => whole.format(value).replace("-", "−");
  const clock = (minute) => {
    const full = Math.floor(minute + 1e-6);
    return `${String(Math.floor(full / 60)).padStart(2, "0")}:${String(full % 60).padStart(2, "0")}`;
  };
  const dayAndMonth = (date) => `${Number(date.slice(8))} ${MONTHS[Number(date.slice(5, 7)) - 1]}`;
  const longDate = (date) =>
    `${WEEKDAYS[new Date(`${date}T00:00Z`).getUTCDay()]} ${dayAndMonth(date)} ${date.slice(0, 4)}`;

  // An axis as wide as the longest of its labels, and as `together` where charts share an edge.
  const widthOf = (texts, context) => {
    context.font = FONT;
    return Math.max(...texts.map((text) => context.measureText(text).width));
  };
  const pen = document.createElement("canvas").getContext("2d");
  const valueAxis = (together = 0) => ({
    font: FONT,
    stroke: colour("quiet"),
    grid: { stroke: colour("hair"), width: 1 },
    ticks: { show: false },
    gap: 8,
    values: (_, splits) => splits.map(level),
    size: (_, values) => Math.ceil(Math.max(together, values ? widthOf(values, pen) : 0)) + 16,
  });
  const timeAxis = (more) => ({
    font: FONT,
    stroke: colour("quiet"),
    grid: { show: false },
    ticks: { stroke: colour("hair"), width: 1, size: 5 },
    size: 44,
    ...more,
  });

  // Sessions one after the other: x is the day's place plus how much of its session has passed.
  const equityData = ({ days, day, minute, equity, drawdown }) => {
    const x = day.map((place, i) => {
      const [, open, close] = days[place];
      return place + Math.min(1, Math.max(0, (minute[i] - open) / (close - open)));
    });
    return { x, equity, drawdown };
  };

  const sessionSplits = (days) => (u, _, from, to) => {
    const slots = Math.max(1, Math.floor(u.bbox.width / devicePixelRatio / 60));
    if (to - from > 2) {
      const step = Math.ceil((to - from) / slots);
      return days.map((_, place) => place).filter((p) => p % step === 0 && p >= from && p <= to);
    }
    const minutes = (to - from) * (days[0][2] - days[0][1]);
    const step = [1, 2, 5, 10, 15, 30, 60, 120, 180].find((s) => minutes / s <= slots) || 240;
    const splits = [];
    for (let place = Math.floor(from); place < Math.min(days.length, to); place++) {
      const [, open, close] = days[place];
      for (let m = Math.ceil(open / step) * step; m <= close; m += step) {
        const x = place + (m - open) / (close - open);
        if (x >= from && x <= to) splits.push(x);
      }
    }
    return splits;
  };

  const sessionLabels = (days) => (u, splits) => {
    const wide = u.scales.x.max - u.scales.x.min > 2;
    let last = "";
    return splits.map((x) => {
      const place = Math.min(days.length - 1, Math.floor(x + 1e-9));
      const [date, open, close] = days[place];
      const under = wide ? date.slice(0, 4) : dayAndMonth(date);
      const over = wide ? dayAndMonth(date) : clock(open + (x - place) * (close - open) + 0.01);
      const label = under === last ? over : `${over}\n${under}`;
      last = under;
      return label;
    });
  };

  const zeroLine = (u) => {
    const y = Math.round(u.valToPos(0, "y", true)) + 0.5;
    u.ctx.save();
    u.ctx.strokeStyle = colour("quiet");
    u.ctx.beginPath();
    u.ctx.moveTo(u.bbox.left, y);
    u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
    u.ctx.stroke();
    u.ctx.restore();
  };

  const equityCharts = () => {
    const { days, day, minute } = drawn.equity;
    const { x, equity, drawdown } = equityData(drawn.equity);
    const readout = byId("equity-readout");
    const tell = (i) => {
      const at = `${longDate(days[day[i]][0])}, ${clock(minute[i])} IST`;
      readout.textContent = `${at}: net ${rupees(equity[i])}, drawdown ${rupees(drawdown[i])}`;
    };
    const together = widthOf([...equity, ...drawdown].map(level), pen);
    const chart = (host, height, values, name, time, y, fill) => {
      const options = {
        width: host.clientWidth,
        height,
        legend: { show: false },
        cursor: { sync: { key: "equity" }, drag: { x: true, y: false }, y: false },
        scales: { x: { time: false }, y },
        axes: [timeAxis({ splits: sessionSplits(days), ...time }), valueAxis(together)],
        series: [
          {},
          {
            stroke: colour(name),
            width: 1.5,
            fill,
            points: { show: false },
            paths: uPlot.paths.stepped({ align: 1 }),
          },
        ],
        hooks: {
          drawAxes: [zeroLine],
          setCursor: [(u) => tell(u.cursor.idx ?? x.length - 1)],
        },
      };
      return new uPlot(options, [x, values], host);
    };
    const falls = { range: (_, lowest) => [Math.min(1.08 * lowest, -1), 0] };
    const labels = { values: sessionLabels(days) };
    tell(x.length - 1);
    return [
      chart(byId("equity-chart"), 250, equity, "ink", { values: () => [], size: 10 }, {}),
      chart(byId("drawdown-chart"), 160, drawdown, "loss", labels, falls, colour("loss-wash")),
    ];
  };

  // One shape a strategy, as an SVG path around (x, y): on the canvas and in the legend alike.
  const polygon = (corners, turn, inner) => (x, y, r) => {
    const n = inner ? 2 * corners : corners;
    const points = Array.from({ length: n }, (_, i) => {
      const radius = inner && i % 2 ? r * inner : r;
      const angle = Math.PI * (2 * (i / n) + turn);
      return `${(x + radius * Math.sin(angle)).toFixed(2)} ${(y - radius * Math.cos(angle)).toFixed(2)}`;
    });
    return `M${points.join("L")}Z`;
  };
  const circle = (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0Z`;
  const SHAPES = [
    circle,
    polygon(4, 0.25),
    polygon(3, 0),
    polygon(4, 0),
    polygon(5, 0, 0.45),
    polygon(3, 1),
    polygon(6, 0),
    polygon(4, 0.25, 0.4),
    polygon(5, 0),
  ];
  const shape = (strategy) => SHAPES[strategy % SHAPES.length];

  const path = {
    place: 0,
    hidden: new Set(),
    pointed: null,
    get day() {
      return drawn.days[this.place];
    },
    get marks() {
      return this.day.trades.filter(([strategy]) => !this.hidden.has(strategy));
    },
  };
  const toneOf = (net) => colour(net > 0 ? "gain" : net < 0 ? "loss" : "quiet");

  const drawMarks = (u) => {
    const { ctx } = u;
    const scale = devicePixelRatio;
    ctx.save();
    for (const mark of path.marks) {
      const [strategy, inMinute, inLevel, outMinute, outLevel, net] = mark;
      const place = (m, v) => [u.valToPos(m, "x", true), u.valToPos(v, "y", true)];
      const [x0, y0] = place(inMinute, inLevel);
      const [x1, y1] = place(outMinute, outLevel);
      const size = (mark === path.pointed ? 8 : 5) * scale;
      ctx.strokeStyle = toneOf(net);
      ctx.globalAlpha = mark === path.pointed ? 1 : 0.4;
      ctx.lineWidth = scale;
      ctx.beginPath();
      ctx.moveTo(x0, y0);
      ctx.lineTo(x1, y1);
      ctx.stroke();
      ctx.globalAlpha = 1;
      ctx.lineWidth = 1.6 * scale;
      const [entry, exit] = [[x0, y0], [x1, y1]].map(
        ([x, y]) => new Path2D(shape(strategy)(x, y, size)),
      );
      ctx.fillStyle = colour("page");
      ctx.fill(entry);
      ctx.stroke(entry);
      ctx.fillStyle = toneOf(net);
      ctx.fill(exit);
      ctx.stroke(exit);
    }
    ctx.restore();
  };

  const pointedAt = (u) => {
    const { left, top } = u.cursor;
    let [nearest, best] = [null, NEAR];
    if (left < 0) return nearest;
    for (const mark of path.marks) {
      for (const [m, v] of [[mark[1], mark[2]], [mark[3], mark[4]]]) {
        const away = Math.hypot(u.valToPos(m, "x") - left, u.valToPos(v, "y") - top);
        if (away < best) [nearest, best] = [mark, away];
      }
    }
    return nearest;
  };

  const tellPath = (u) => {
    const readout = byId("path-readout");
    const { date, trades, of, net, minute, level: spot } = path.day;
    if (path.pointed) {
      const [strategy, inMinute, , outMinute, , made, reason, contract] = path.pointed;
      const times = `${clock(inMinute)} to ${clock(outMinute)} IST, ${reason}`;
      readout.textContent = `${drawn.strategies[strategy]}, ${contract}, ${times}: ${rupees(made)}`;
    } else if (u && u.cursor.left >= 0 && u.cursor.idx != null) {
      const i = u.cursor.idx;
      readout.textContent = `${longDate(date)}, ${clock(minute[i])} IST: ${exact.format(spot[i])}`;
    } else {
      const few = of > trades.length ? `, the ${trades.length} largest drawn` : "";
      readout.textContent = `${of} trade${of === 1 ? "" : "s"}${few}, net ${rupees(net)}`;
    }
  };

  const pathChart = () => {
    const host = byId("path-chart");
    const { open, close, minute, level: spot } = path.day;
    const options = {
      width: host.clientWidth,
      height: Math.max(280, Math.min(420, Math.round(host.clientWidth * 0.5))),
      legend: { show: false },
      cursor: { drag: { x: true, y: false }, points: { show: false } },
      scales: { x: { time: false, range: (_, from, to) => [from ?? open, to ?? close] } },
      axes: [
        timeAxis({
          size: 30,
          incrs: [1, 2, 5, 10, 15, 30, 60, 120],
          space: 56,
          values: (_, splits) => splits.map(clock),
        }),
        valueAxis(),
      ],
      series: [{}, { stroke: colour("quiet"), width: 1.2, points: { show: false } }],
      hooks: {
        draw: [drawMarks],
        setCursor: [
          (u) => {
            const pointed = pointedAt(u);
            const changed = pointed !== path.pointed;
            path.pointed = pointed;
            if (changed) u.redraw(false, false);
            tellPath(u);
          },
        ],
      },
    };
    path.pointed = null;
    tellPath();
    return [new uPlot(options, [minute, spot], host)];
  };

  // Everything is drawn anew when its width, the day, or the colours change.
  const groups = {};
  const draw = (name, make) => {
    for (const chart of groups[name]?.charts ?? []) chart.destroy();
    groups[name] = { make, charts: make() };
  };
  const redraw = () => Object.entries(groups).forEach(([name, { make }]) => draw(name, make));

  const choose = (place) => {
    path.place = place;
    byId("day").selectedIndex = place;
    byId("day-before").disabled = place === 0;
    byId("day-after").disabled = place === drawn.days.length - 1;
    draw("path", pathChart);
  };

  const dayChooser = () => {
    for (const { date, net } of drawn.days) {
      byId("day").add(new Option(`${longDate(date)}  ${rupees(net)}`, date));
    }
    byId("day").addEventListener("change", ({ target }) => choose(target.selectedIndex));
    byId("day-before").addEventListener("click", () => choose(path.place - 1));
    byId("day-after").addEventListener("click", () => choose(path.place + 1));
  };

  const legend = () => {
    const trading = new Set(drawn.days.flatMap(({ trades }) => trades.map(([who]) => who)));
    drawn.strategies.forEach((name, strategy) => {
      if (!trading.has(strategy)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.setAttribute("aria-pressed", "true");
      const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
      svg.setAttribute("viewBox", "0 0 14 14");
      svg.setAttribute("aria-hidden", "true");
      const outline = document.createElementNS("http://www.w3.org/2000/svg", "path");
      outline.setAttribute("d", shape(strategy)(7, 7, 5.5));
      svg.append(outline);
      button.append(svg, name);
      button.addEventListener("click", () => {
        const shown = !path.hidden.delete(strategy);
        if (shown) path.hidden.add(strategy);
        button.setAttribute("aria-pressed", String(!shown));
        draw("path", pathChart);
      });
      byId("path-legend").append(button);
    });
  };

  document.documentElement.classList.add("scripted");
  if (drawn.equity) draw("equity", equityCharts);
  if (drawn.days.length) {
    dayChooser();
    legend();
    choose(0);
  }
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
  let width = document.body.clientWidth;
  addEventListener("resize", () => {
    if (document.body.clientWidth === width) return;
    width = document.body.clientWidth;
    redraw();
  });
})();
