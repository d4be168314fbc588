// Says how long a comment is, in characters and in the text messages that it takes.
(() => {
  "use strict";
  // GSM 03.38: the letters that fit seven bits, and those that take two places.
  const ONE = new Set("@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà");
  const TWO = new Set("^{}\\[~]|€\f");

  function parts(text) {
    let places = 0;
    for (const letter of text) {
      if (ONE.has(letter)) places += 1;
      else if (TWO.has(letter)) places += 2;
      else return text.length <= 70 ? 1 : Math.ceil(text.length / 67);
    }
    return places <= 160 ? 1 : Math.ceil(places / 153);
  }

  for (const place of document.querySelectorAll("[data-count-of]")) {
    const field = document.getElementById(place.dataset.countOf);
    if (!field) continue;
    const atFirst = place.textContent;
    const say = () => {
      const text = field.value.trim();
      const length = [...text].length;
      if (!length) { place.textContent = atFirst; return; }
      const messages = parts(text);
      place.textContent = `${length} of ${place.dataset.longest} characters, `
        + (messages === 1 ? "one text message." : `${messages} text messages.`);
    };
    field.addEventListener("input", say);
    say();
  }
})();
