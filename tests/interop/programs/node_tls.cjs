// The tls module of Node.js (OpenSSL), also as Bun has it (BoringSSL). See README.md for the keys.
'use strict';
const fs = require('fs');
const tls = require('tls');

const [role, ...pairs] = process.argv.slice(2);
const want = Object.fromEntries(pairs.map((pair) => [pair.split('=', 1)[0], pair.slice(pair.indexOf('=') + 1)]));
const CHUNK = 16384;
const curves = { x25519: 'X25519', secp256r1: 'P-256', secp384r1: 'P-384', secp521r1: 'P-521' };
const options = { ca: fs.readFileSync(want.ca) };
if (want.version) options.minVersion = options.maxVersion = 'TLSv' + want.version;
if (want.cert) Object.assign(options, { cert: fs.readFileSync(want.cert), key: fs.readFileSync(want.key) });
if (want.alpn) options.ALPNProtocols = want.alpn.split(',');
if (want.ciphers) options.ciphers = want.ciphers;
if (want.groups) options.ecdhCurve = want.groups.split(',').map((name) => curves[name] || name).join(':');
if (want.staple) options.requestOCSP = role === 'client';
if (want.psk) {
  const psk = Buffer.from(want.psk, 'hex');
  options.pskCallback = role === 'server' ? () => psk : () => ({ psk, identity: want.identity });
  options.checkServerIdentity = () => undefined;
}

function report(socket) {
  const cipher = socket.getCipher() || {};
  const peer = Object.keys(socket.getPeerCertificate() || {}).length ? 1 : 0;
  const first = () => (role === 'server' ? socket.getPeerFinished() : socket.getFinished());
  const secret = () => (want.export === 'tls-unique' ? first() : socket.exportKeyingMaterial(32, want.export));
  const exported = want.export ? secret().toString('hex') : '';
  return `report version=${socket.getProtocol()} suite=${cipher.standardName || cipher.name} ` +
    `alpn=${socket.alpnProtocol || ''} resumed=${socket.isSessionReused && socket.isSessionReused() ? 1 : 0} peer=${peer} ` +
    `exporter=${exported} ocsp=${socket.stapled ? 1 : 0}\n`;
}

function serve() {
  const server = tls.createServer({ ...options, requestCert: !!want.verify, rejectUnauthorized: !!want.verify });
  if (want.cert2) server.addContext('other.test', { cert: fs.readFileSync(want.cert2), key: fs.readFileSync(want.key2) });
  if (want.staple) server.on('OCSPRequest', (leaf, issuer, answer) => answer(null, fs.readFileSync(want.staple)));
  server.on('secureConnection', (socket) => {
    process.stdout.write(report(socket));
    socket.on('error', (error) => console.error('connection:', error.message));
    socket.on('data', (data) => socket.write(data));
    socket.on('end', () => socket.end());
  });
  server.on('tlsClientError', (error) => console.error('connection:', error.message));
  server.listen(0, '127.0.0.1', () => process.stdout.write(`port=${server.address().port}\n`));
}

function visit(payload, turns, session) {
  const socket = tls.connect({ ...options, session, host: '127.0.0.1', port: Number(want.port), servername: want.name });
  socket.on('OCSPResponse', (response) => { socket.stapled = response !== null; });
  let latest = session;
  let left = payload.length;
  let sent = 0;
  const next = () => {
    if (sent < payload.length && sent + left === payload.length) {
      socket.write(payload.subarray(sent, sent + CHUNK));
      sent = Math.min(sent + CHUNK, payload.length);
    }
  };
  const finish = () => {
    process.stderr.write(report(socket));
    socket.end();
  };
  socket.on('session', (data) => { latest = data; });
  socket.on('error', (error) => { console.error(error.message); process.exit(1); });
  socket.on('secureConnect', () => { if (left) next(); else finish(); });
  socket.on('data', (data) => {
    process.stdout.write(data);
    left -= data.length;
    if (left === 0) finish(); else next();
  });
  socket.on('close', () => {
    if (left) process.exit(2);
    if (turns > 1) visit(payload, turns - 1, latest);
  });
}

if (role === 'server') serve();
else visit(fs.readFileSync(0), Number(want.times || 1), undefined);
