import { Controller } from '@nestjs/common';
import type { InputOf } from '#api/route.js';
import type { Routes } from '#api/routes.js';
import type { Token } from '#api/token.js';
import { Answer } from './answer.js';
import { asksForAll } from './access.js';
import { ByCall, type Call } from './call.js';
import { Idempotency } from './idempotency.js';
import { Input, Serves } from './serves.js';
import { TokenCommands } from './token.commands.js';
import { TokenBook } from './tokens.queries.js';

@Controller()
export class TokensController {
  constructor(
    private readonly commands: TokenCommands,
    private readonly tokens: TokenBook,
    private readonly idempotency: Idempotency,
  ) {}

  @Serves('issueToken')
  issue(@Input() { body }: InputOf<Routes['issueToken']>, @ByCall() call: Call): Promise<Answer> {
    const withoutSecret = ({ token: _, ...rest }: Token & { token?: string }): Token => rest;
    return this.idempotency.once(
      call,
      async () => {
        const { id, token } = await this.commands.issue(body, call);
        const shown = await this.tokens.find(call, id);
        return new Answer(201, token ? { ...shown, token } : shown, { 'cache-control': 'no-store' });
      },
      { storable: withoutSecret },
    );
  }

  @Serves('listTokens')
  list(@Input() { query }: InputOf<Routes['listTokens']>, @ByCall() call: Call): Promise<object> {
    return this.tokens.page(call, { ...query, all: asksForAll(call, query.all) });
  }

  @Serves('revokeToken')
  async revoke(@Input() { params }: InputOf<Routes['revokeToken']>, @ByCall() call: Call): Promise<object> {
    const token = await this.tokens.find(call, params.id);
    await this.commands.revoke(token, call);
    return this.tokens.find(call, token.id);
  }

  @Serves('showSession')
  session(@ByCall() { caller }: Call): object {
    return caller;
  }
}
