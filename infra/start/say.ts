import pc from 'picocolors';

/** Something that takes a while, shown while it goes on. */
export interface Step {
  /** What it is at right now. */
  note(text: string): void;
  done(detail?: string): void;
  /** It cannot be had here, and why; what follows goes on without it. */
  missing(why: string): void;
}

/** How the launcher speaks to whoever started it. */
export interface Say {
  step(name: string): Step;
  line(text?: string): void;
  warn(text: string): void;
  /** What went wrong, in the place of the step that was under way. */
  failed(text: string): void;
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const NAME_WIDTH = 14;
const CLEAR = '\r\u001b[2K';

/** On a terminal: one moving line. Elsewhere: a line when a step takes over two seconds, and then each ten. */
export function consoleSay(out: NodeJS.WriteStream = process.stdout): Say {
  const isLive = Boolean(out.isTTY) && !process.env['CI'];
  let current: { draw: () => void; end: () => void } | undefined;
  const write = (text: string) => {
    if (current && isLive) out.write(CLEAR);
    out.write(`${text}\n`);
    if (isLive) current?.draw();
  };
  const warn = (text: string) => write(`  ${pc.yellow('!')} ${text.trim().replaceAll('\n', '\n    ')}`);
  const step = (name: string): Step => {
    current?.end();
    const began = Date.now();
    let note = '';
    let frame = 0;
    const label = name.padEnd(NAME_WIDTH);
    const draw = () => out.write(`${CLEAR}  ${pc.cyan(FRAMES[frame++ % FRAMES.length])} ${label} ${pc.dim(`${note}${sinceSlow(began, '  ')}`)}`);
    let nextLineAt = began + 2000;
    const speak = () => {
      if (Date.now() < nextLineAt) return;
      nextLineAt = Date.now() + 10_000;
      write(`  … ${label} ${note}${sinceSlow(began, '  ')}`);
    };
    const timer = setInterval(isLive ? draw : speak, isLive ? 120 : 500).unref();
    const end = () => {
      clearInterval(timer);
      if (isLive) out.write(CLEAR);
      current = undefined;
    };
    current = { draw, end };
    return {
      note: (text) => (note = text),
      done(detail = '') {
        end();
        write(`  ${pc.green('✓')} ${label} ${detail}${pc.dim(sinceSlow(began, '  ', 300))}`);
      },
      missing(why) {
        end();
        warn(why);
      },
    };
  };
  return {
    step,
    line: (text = '') => write(text),
    warn,
    failed(text) {
      current?.end();
      write(`  ${pc.red('✗')} ${text.trim().replaceAll('\n', '\n    ')}`);
    },
  };
}

function sinceSlow(began: number, before: string, leastMs = 2000): string {
  const tookMs = Date.now() - began;
  return tookMs < leastMs ? '' : `${before}${(tookMs / 1000).toFixed(1)} s`;
}
