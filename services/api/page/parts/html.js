// Elements are built by Preact from templates, with text only: file names, messages and found text come from strangers.

import htm from "../vendor/htm.js";
import { h } from "../vendor/preact.js";

export const html = htm.bind(h);
