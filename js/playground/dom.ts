// Elements of the page.

/** The element with that id. */
export function element<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no element #${id}`);
  return found as unknown as T;
}

/** A new element with a class and text. */
export function made<K extends keyof HTMLElementTagNameMap>(tag: K, name = '', text = ''): HTMLElementTagNameMap[K] {
  const node = document.createElement(tag);
  if (name !== '') node.className = name;
  node.textContent = text;
  return node;
}

/** Sets a text; unchanged text stays as it is, and with it a selection of the user. */
export function setText(node: Element, text: string): void {
  if (node.textContent !== text) node.textContent = text;
}

/** Whether the user asked for less motion. */
export function prefersStillness(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
