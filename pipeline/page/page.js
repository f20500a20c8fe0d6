"use strict";
(() => {
  const form = document.getElementById("filter");
  if (!form) return;
  const choice = id => { const e = document.getElementById(id); return e ? e.value : ""; };
  const cards = [...document.getElementById("cards").children].map(card => ({ card, asked: [...card.querySelectorAll(".asked")] }));
  const more = document.getElementById("more");
  let pages = 1; // of the cards that match, so many dozens are shown
  const wanted = {
    "": () => true,
    "changed": d => d.changed === "yes",
    "student-wrong": d => d.outcome === "turned-wrong" || d.outcome === "both-wrong",
    "student-right": d => d.outcome === "turned-right" || d.outcome === "both-right",
  };
  const plural = (n, what) => n + " " + what + (n === 1 ? "" : "s");

  // Questions that are not asked for are hidden, and cards that have no other.
  function filter() {
    const outcome = choice("by-outcome"), task = choice("by-task"), category = choice("by-category");
    const such = wanted[outcome] || (d => d.outcome === outcome);
    let pictures = 0, questions = 0;
    const most = pages * 12;
    for (const { card, asked } of cards) {
      let left = 0;
      for (const e of asked) {
        const d = e.dataset;
        e.hidden = !(such(d) && (!task || d.task === task) && (!category || d.category === category));
        if (!e.hidden) left++;
      }
      card.hidden = left === 0;
      questions += left;
      if (left) pictures++;
      card.classList.toggle("later", pictures > most);
    }
    document.getElementById("shown").textContent = plural(questions, "question") + " on " + plural(pictures, "card");
    more.hidden = pictures <= most;
  }

  form.addEventListener("submit", e => e.preventDefault());
  form.addEventListener("change", () => { pages = 1; filter(); });
  form.addEventListener("reset", () => { pages = 1; setTimeout(filter); });
  more.firstElementChild.addEventListener("click", () => {
    const next = cards.find(c => !c.card.hidden && c.card.classList.contains("later"));
    pages += 2;
    filter();
    next.card.tabIndex = -1; // the keyboard goes on where the new ones begin
    next.card.focus({ preventScroll: true });
  });
  form.hidden = false;
  filter();
})();
