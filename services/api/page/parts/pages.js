// Pages of something, read one after the other as they are asked for.

import { useEffect, useRef, useState } from "../vendor/hooks.js";

const NOTHING = { items: [], cursor: null, isRead: false, trouble: "" };

// read(cursor) resolves to { items, nextCursor }. Read again from the start when `when` changes, in place of what was
// there. Returns [{ items, cursor, isRead, trouble }, more].
export function usePages(read, when) {
  const [pages, setPages] = useState(NOTHING);
  const newest = useRef(0);
  async function next(before) {
    const mine = (newest.current += 1);
    try {
      const { items, nextCursor } = await read(before.cursor);
      if (mine !== newest.current) return;
      setPages({ items: [...before.items, ...items], cursor: nextCursor ?? null, isRead: true, trouble: "" });
    } catch (error) {
      if (mine === newest.current) setPages((known) => ({ ...known, isRead: true, trouble: error.message }));
    }
  }
  useEffect(() => {
    next(NOTHING);
  }, [when]);
  return [pages, () => next(pages)];
}
