"use strict";
// The page itself: what the pointer is on, in words, and nothing folded away on paper.
(function () {
  const byId = (id) => document.getElementById(id);
  const state = JSON.parse(byId("state").textContent);
  document.documentElement.classList.add("js");

  function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
    return new DataView(bytes.buffer);
  }

  function isolate(name) {
    return "\u2068" + name + "\u2069";
  }

  function namesOf(cell) {
    const names = state.shownNames;
    const first = cell * state.matrix.bin;
    const last = Math.min(first + state.matrix.bin, names.length) - 1;
    return first === last ? isolate(names[first]) : isolate(names[first]) + " to " + isolate(names[last]);
  }

  function readMatrix() {
    const picture = document.querySelector("svg.matrix");
    if (!state.matrix || !picture) return;
    const cells = byId("cells");
    const side = state.matrix.side;
    const values = unpack(state.matrix.values);
    const errors = state.matrix.errors && unpack(state.matrix.errors);
    const readout = byId("readout");

    function cellAt(event) {
      const box = cells.getBoundingClientRect();
      const i = Math.floor((side * (event.clientX - box.left)) / box.width);
      const j = Math.floor((side * (event.clientY - box.top)) / box.height);
      return i >= 0 && j >= 0 && i < side && j < side ? [j, i] : null;
    }

    function read(event) {
      const cell = cellAt(event);
      if (!cell) return;
      const [j, i] = cell;
      const share = values.getUint16(2 * (j * side + i), true) / 100;
      const error = errors ? errors.getUint16(2 * (j * side + i), true) : 65535;
      const most = state.matrix.bin > 1 ? (i === j ? "at least " : "at most ") : "";
      readout.textContent =
        "Of true " + namesOf(i) + ", " + most + share.toFixed(1) + " % carry the label " + namesOf(j) +
        (error < 65535 ? ", ± " + (error / 100).toFixed(1) : "") + ".";
    }
    picture.addEventListener("pointermove", read);
    picture.addEventListener("pointerdown", read);
  }

  addEventListener("beforeprint", () => {
    for (const closed of document.querySelectorAll("details:not([open])")) {
      closed.open = true;
      addEventListener("afterprint", () => (closed.open = false), { once: true });
    }
  });
  readMatrix();
})();
