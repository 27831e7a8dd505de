// Pieces that every part of the panel is built of: buttons, menus, sheets, and moving among them by keys.
import { h, createContext, type ButtonHTMLAttributes, type ComponentChildren, type RefObject } from "preact";
import { useContext, useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Icon, type IconName } from "./icons";
import type { Panel } from "./panel";

export const PanelContext = createContext<Panel>(null as unknown as Panel);
export const usePanel = (): Panel => useContext(PanelContext);

let ids = 0;
/** An id for labels, its own in this page. */
export function useId(): string {
  const ref = useRef("");
  return (ref.current ||= `dnp-${++ids}`);
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & { children?: ComponentChildren };

/** A button that sends no form. */
export const Button = (props: ButtonProps) => <button type="button" {...props} />;

/** A button that shows a picture; its name is in the tooltip and for screen readers. */
export function IconButton({ icon, label, ...rest }: { icon: IconName; label: string } & ButtonProps) {
  return (
    <Button {...rest} class={`icon-button ${rest.class ?? ""}`} title={label} aria-label={label}>
      <Icon name={icon} />
    </Button>
  );
}

/** Arrow keys, Home and End move among the elements of a group, and one of them is reached by Tab. */
export function useRoving(ref: RefObject<HTMLElement | null>, selector: string, vertical = false): (event: KeyboardEvent) => void {
  const at = useRef(0);
  const all = () => [...(ref.current?.querySelectorAll<HTMLElement>(selector) ?? [])];
  const mark = (items: HTMLElement[]) => {
    at.current = Math.min(at.current, Math.max(0, items.length - 1));
    items.forEach((item, index) => (item.tabIndex = index === at.current ? 0 : -1));
  };
  useLayoutEffect(() => mark(all()));
  return (event) => {
    const items = all();
    const now = items.indexOf(event.composedPath()[0] as HTMLElement);
    if (now < 0) return;
    const [back, forth] = vertical ? ["ArrowUp", "ArrowDown"] : ["ArrowLeft", "ArrowRight"];
    const to = { [back]: now - 1, [forth]: now + 1, Home: 0, End: items.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    at.current = (to + items.length) % items.length;
    mark(items);
    items[at.current]?.focus();
  };
}

export interface MenuItem {
  label: string;
  icon: IconName;
  act: () => void;
  checked?: boolean;
}

/** A button that opens a menu; the menu lies above everything, also above what would cut it off. */
export function Menu(props: { icon: IconName; label: string; items: MenuItem[] }) {
  const [open, setOpen] = useState(false);
  const place = useRef<HTMLDivElement>(null);
  const menu = useRef<HTMLDivElement>(null);
  const move = useRoving(menu, "[role^=menuitem]", true);
  const close = (back = true) => {
    setOpen(false);
    if (back) place.current?.querySelector("button")?.focus();
  };

  useLayoutEffect(() => {
    const el = menu.current;
    if (!open || !el || !place.current) return;
    el.showPopover?.();
    const { left, right, top, bottom } = place.current.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = el;
    const below = bottom + 4 + height < innerHeight || top < height;
    el.style.top = `${below ? bottom + 4 : top - 4 - height}px`;
    el.style.left = `${Math.max(4, left + width < innerWidth - 8 ? left : right - width)}px`;
    el.querySelector<HTMLElement>("[role^=menuitem]")?.focus();
    // Elsewhere, or moved away from its button: it is no longer wanted.
    const outside = (event: Event) => !event.composedPath().includes(place.current!) && close(false);
    const gone = new AbortController();
    for (const what of ["pointerdown", "wheel"])
      el.ownerDocument.addEventListener(what, outside, { capture: true, passive: true, signal: gone.signal });
    return () => {
      gone.abort();
    };
  }, [open]);

  const keys = (event: KeyboardEvent) => {
    if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      event.stopPropagation();
      close();
    } else move(event);
  };

  return (
    <div class={`menu-place ${open ? "open" : ""}`} ref={place}>
      <IconButton
        icon={props.icon}
        label={props.label}
        aria-haspopup="menu"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      />
      {open && (
        <div class="menu" role="menu" aria-label={props.label} popover="manual" ref={menu} onKeyDown={keys}>
          {props.items.map(({ label, icon, act, checked }) => (
            <Button
              key={label}
              role={checked === undefined ? "menuitem" : "menuitemcheckbox"}
              aria-checked={checked}
              onClick={() => {
                close();
                act();
              }}
            >
              <Icon name={icon} />
              <span>{label}</span>
              {checked && <Icon name="check" />}
            </Button>
          ))}
        </div>
      )}
    </div>
  );
}

const FOCUSABLE =
  "a[href],button:not([tabindex='-1']),input,textarea,select,summary,[tabindex]:not([tabindex='-1'])";

interface SheetProps {
  title: string;
  onClose: () => void;
  children: ComponentChildren;
  foot?: ComponentChildren;
  /** A question in the middle instead of a sheet at the side. */
  alert?: boolean;
}

/** A dialog within the panel; the rest of the panel is inert meanwhile, and gets the focus back. */
export function Sheet({ title, onClose, children, foot, alert }: SheetProps) {
  const { t } = usePanel();
  const id = useId();
  const box = useRef<HTMLElement>(null);

  useLayoutEffect(() => {
    const root = box.current!.getRootNode() as ShadowRoot;
    const before = root.activeElement as HTMLElement | null;
    (box.current!.querySelector<HTMLElement>("[data-first]") ?? box.current!).focus({ preventScroll: true });
    return () => {
      // After the panel is no longer inert.
      queueMicrotask(() => {
        const back = before?.isConnected ? before : root.querySelector<HTMLElement>("textarea");
        back?.focus({ preventScroll: true });
      });
    };
  }, []);

  const keys = (event: KeyboardEvent) => {
    if (event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      onClose();
    } else if (event.key === "Tab") {
      const items = [...box.current!.querySelectorAll<HTMLElement>(FOCUSABLE)].filter((el) => el.offsetParent);
      const edge = event.shiftKey ? items[0] : items.at(-1);
      const at = event.composedPath()[0];
      if (at === edge || at === box.current) {
        if (at === box.current && !event.shiftKey) return;
        event.preventDefault();
        (event.shiftKey ? items.at(-1) : items[0])?.focus();
      }
    }
  };

  return (
    <div class={`veil ${alert ? "centre" : ""}`} onMouseDown={(event) => event.target === event.currentTarget && onClose()}>
      <section
        ref={box}
        class={alert ? "sheet small" : "sheet"}
        role={alert ? "alertdialog" : "dialog"}
        aria-modal="true"
        aria-labelledby={id}
        tabIndex={-1}
        onKeyDown={keys}
      >
        <header>
          <h2 id={id}>{title}</h2>
          <IconButton icon="close" label={t("close")} onClick={onClose} />
        </header>
        <div class="sheet-body">{children}</div>
        {foot && <footer>{foot}</footer>}
      </section>
    </div>
  );
}

/** Call with the newest `act` when the element comes into view. */
export function useSeen(ref: RefObject<HTMLElement | null>, root: RefObject<HTMLElement | null>, act: () => void): void {
  const newest = useRef(act);
  newest.current = act;
  useEffect(() => {
    if (!ref.current) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && newest.current(),
      { root: root.current, rootMargin: "200px" },
    );
    observer.observe(ref.current);
    return () => observer.disconnect();
  });
}
