// Elements are built with text only: file names, messages and found text come from strangers.

export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") made.className = value;
    else if (name === "text") made.textContent = value;
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Unchanged text is left alone, so that a selection in it survives.
export function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}
