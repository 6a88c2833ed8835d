/** What we use of Traefik's dynamic configuration, as its file and HTTP providers take it (version 3). */
export interface TraefikDocument {
  readonly http: {
    readonly routers: Record<string, Router>;
    readonly services: Record<string, Backend>;
    readonly middlewares: Record<string, Middleware>;
    /** Below 0 no connection is kept. Traefik takes no empty record. */
    readonly serversTransports?: Record<string, { readonly maxIdleConnsPerHost: number }>;
  };
}

export interface Router {
  readonly entryPoints: readonly string[];
  readonly rule: string;
  readonly service: string;
  readonly middlewares?: readonly string[];
  readonly priority?: number;
  readonly tls?: { readonly certResolver?: string; readonly domains?: readonly { readonly main: string }[] };
}

export interface Backend {
  readonly loadBalancer: { readonly servers: readonly { readonly url: string }[]; readonly passHostHeader: boolean; readonly serversTransport?: string };
}

export type Middleware =
  | { readonly headers: { readonly stsSeconds: number; readonly stsIncludeSubdomains: boolean; readonly stsPreload: boolean } }
  /** A header without a value is taken away. */
  | { readonly headers: { readonly customRequestHeaders: Readonly<Record<string, string>> } | { readonly customResponseHeaders: Readonly<Record<string, string>> } }
  | { readonly redirectRegex: { readonly regex: string; readonly replacement: string; readonly permanent: boolean } }
  | { readonly redirectScheme: { readonly scheme: 'https'; readonly permanent: boolean } }
  | { readonly basicAuth: { readonly users: readonly string[]; readonly realm: string; readonly removeHeader: boolean } };
