/** One directive of an nginx configuration as nginx itself reads it: its words without quotes, and what is in its block. */
export interface Directive {
  readonly words: readonly string[];
  readonly block?: readonly Directive[];
}

/** Reads a configuration by the rules of nginx' own parser (ngx_conf_read_token): words end at spaces, `;` and `{` unless quoted; a backslash takes the meaning of the next sign away. */
export function readDirectives(text: string): readonly Directive[] {
  const tokens = tokensOf(text);
  let at = 0;
  const blockOf = (isTop: boolean): Directive[] => {
    const directives: Directive[] = [];
    for (let words: string[] = []; ; ) {
      const token = tokens[at++];
      if (token === undefined || token === '}') {
        if (words.length > 0 || (token === undefined) !== isTop) throw new Error(`A block ends in the middle of ${words.join(' ')}.`);
        return directives;
      }
      if (typeof token === 'object') words.push(token.word);
      else {
        if (words.length === 0) throw new Error(`A ${token} comes where a directive should begin.`);
        directives.push(token === '{' ? { words, block: blockOf(false) } : { words });
        words = [];
      }
    }
  };
  return blockOf(true);
}

type Token = ';' | '{' | '}' | { readonly word: string };

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < text.length; ) {
    const sign = text[at]!;
    if (/\s/.test(sign)) at++;
    else if (sign === '#') at = text.includes('\n', at) ? text.indexOf('\n', at) + 1 : text.length;
    else if (sign === ';' || sign === '{' || sign === '}') [at] = [at + 1, tokens.push(sign)];
    else {
      const { word, end } = wordAt(text, at);
      tokens.push({ word });
      at = end;
    }
  }
  return tokens;
}

function wordAt(text: string, from: number): { word: string; end: number } {
  const quote = text[from] === '"' || text[from] === "'" ? text[from] : undefined;
  let word = '';
  for (let at = quote ? from + 1 : from; at < text.length; at++) {
    const sign = text[at]!;
    if (sign === '\\') word += text[++at] ?? '';
    else if (sign === quote) {
      if (!/[\s;{)]/.test(text[at + 1] ?? ' ')) throw new Error(`Something follows a quote at ${text.slice(at, at + 20)}.`);
      return { word, end: at + 1 };
    } else if (!quote && /[\s;{]/.test(sign) && !(sign === '{' && word.endsWith('$'))) return { word, end: at };
    else word += sign;
  }
  if (quote) throw new Error(`A quote does not end: ${text.slice(from, from + 40)}.`);
  return { word, end: text.length };
}
