/** What we use of Traefik's dynamic configuration, as its file and HTTP providers take it (version 3). */
export interface TraefikDocument {
  readonly http: {
    readonly routers: Record<string, Router>;
    readonly services: Record<string, Backend>;
    readonly middlewares: Record<string, Middleware>;
  };
}

export interface Router {
  readonly entryPoints: readonly string[];
  readonly rule: string;
  readonly service: string;
  readonly middlewares?: readonly string[];
  readonly priority?: number;
  readonly tls?: { readonly certResolver?: string };
}

export interface Backend {
  readonly loadBalancer: { readonly servers: readonly { readonly url: string }[]; readonly passHostHeader: boolean };
}

export type Middleware =
  | { readonly headers: { readonly stsSeconds: number; readonly stsIncludeSubdomains: boolean; readonly stsPreload: boolean } | { readonly customResponseHeaders: Readonly<Record<string, string>> } }
  | { readonly redirectRegex: { readonly regex: string; readonly replacement: string; readonly permanent: boolean } }
  | { readonly redirectScheme: { readonly scheme: 'https'; readonly permanent: boolean } }
  | { readonly ipAllowList: { readonly sourceRange: readonly string[] } }
  | { readonly basicAuth: { readonly users: readonly string[]; readonly realm: string; readonly removeHeader: boolean } };
