"use strict";
// Sends the chosen file as it is and shows the service's answer, step by step. Whatever goes wrong,
// the page shows it: an old verdict never stays beside a new file.
const words = JSON.parse(document.getElementById("words").textContent);
const verdict = document.getElementById("verdict");
const steps = document.getElementById("steps");

function show(name, text) {
  verdict.className = name;
  verdict.textContent = text;
}

function row(step) {
  const line = document.createElement("tr");
  for (const [text, name] of [[step.step, ""], [words[step.verdict], step.verdict], [step.cause, ""]]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    cell.className = name;
    line.append(cell);
  }
  return line;
}

async function verify(file) {
  steps.replaceChildren();
  show("not_checked", words.waiting);
  try {
    const answer = await fetch("verify?lang=" + document.documentElement.lang.slice(0, 2), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: await file.arrayBuffer(),
    });
    const body = await answer.json();
    if (!Array.isArray(body.steps)) throw new Error(body.title || String(answer.status));
    steps.replaceChildren(...body.steps.map(row));
    show(body.verdict, words[body.verdict]);
  } catch (error) {
    steps.replaceChildren();
    show("not_checked", words.not_checked + ": " + error.message);
  }
}

document.getElementById("file").addEventListener("change", (event) => {
  const file = event.target.files[0];
  if (file) verify(file);
});
