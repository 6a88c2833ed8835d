import { setSourceMapsSupport } from 'node:module';

/** Loaded first (`--import`), in place of `--enable-source-maps`: traces name our source. The maps of what npm brought stay unread; they would be a twentieth of each start. */
setSourceMapsSupport(true, { nodeModules: false });
