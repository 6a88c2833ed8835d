import ipaddr from 'ipaddr.js';
import { ProviderError } from '../provider-error.js';
import { ownAddresses } from './render-listen.js';
import { whole } from './nginx-value.js';
import type { RenderSettings } from './render.js';

/**
 * Who a visitor is and how it came: as the connection says, or as a proxy says whose address is among the trusted ones. With the PROXY protocol it is the
 * balancer that says it, and no header is believed. Traefik says ws and wss of a request for a websocket.
 */
export function renderVisitor(settings: RenderSettings): string {
  const { proxyRanges = [], proxyProtocol = false, httpsPort } = settings;
  const ranges = proxyRanges.map(rangeOf);
  const lines = (end: string): string => (proxyProtocol ? [] : ranges).map((range) => `        ${range}${end};\n`).join('');
  return `${ranges.map((range) => `    set_real_ip_from ${range};\n`).join('')}    real_ip_header ${proxyProtocol ? 'proxy_protocol' : 'X-Forwarded-For'};
    real_ip_recursive on;
    geo $realip_remote_addr $hp_via_proxy {
        default 0;
${lines(' 1')}    }
    geo $realip_remote_addr $hp_own_machine {
        default 0;
${ownAddresses(settings.bind).map((address) => `        ${address} 1;\n`).join('')}    }
    map $hp_via_proxy:$http_x_forwarded_proto $hp_scheme {
        default $scheme;
        1:http http;
        1:https https;
        1:ws http;
        1:wss https;
    }
    map $hp_via_proxy:$hp_scheme $hp_forwarded_port {
        default $server_port;
        1:http 80;
        1:https 443;
    }
    map $hp_via_proxy $hp_cf_connecting_ip {
        default "";
        1 $http_cf_connecting_ip;
    }
    map $hp_via_proxy $hp_https_port {
        default "${httpsPort === 443 ? '' : `:${whole(httpsPort, 'The port', 65_535)}`}";
        1 "";
    }
`;
}

function rangeOf(given: string): string {
  if (!ipaddr.isValidCIDR(given) || given.includes('%')) throw new ProviderError(`${JSON.stringify(given)} is no IP range of a proxy: set HOSTPLANE_PROXY_RANGES to ranges such as 192.0.2.0/24.`, false);
  const [address, prefix] = ipaddr.parseCIDR(given);
  const kind = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6;
  return `${kind.networkAddressFromCIDR(given).toString()}/${prefix}`;
}
