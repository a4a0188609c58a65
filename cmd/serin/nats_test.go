package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"maps"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"
)

// hunter2 is every secret of these tests: nobody may ever read it.
const hunter2 = "hunter2hunter2"

// natsWith starts a server and returns its address.
func natsWith(t *testing.T, opts *server.Options) string {
	t.Helper()
	opts.Host, opts.Port, opts.JetStream, opts.StoreDir, opts.NoSigs, opts.NoLog = "127.0.0.1", server.RANDOM_PORT, true, t.TempDir(), true, true
	srv, err := server.NewServer(opts)
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the server does not start")
	}
	return srv.Addr().String()
}

// place is a directory with files, where serin runs.
type place struct {
	t   *testing.T
	dir string
	out bytes.Buffer
}

func newPlace(t *testing.T) *place { return &place{t: t, dir: t.TempDir()} }

func (p *place) file(name, text string) string {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
	return path
}

// serin runs a command in an environment and returns its exit status; out is what it says.
func (p *place) serin(vars map[string]string, args ...string) int {
	p.out.Reset()
	all := map[string]string{"HOME": p.dir}
	maps.Copy(all, vars)
	return run(p.t.Context(), args, Env{Stdout: &p.out, Stderr: &p.out, Now: time.Now, Dir: p.dir, Getenv: func(name string) string { return all[name] }})
}

// authority signs certificates and writes them as PEM files.
type authority struct {
	place *place
	cert  *x509.Certificate
	key   *ecdsa.PrivateKey
}

func newAuthority(p *place) *authority {
	a := &authority{place: p}
	a.cert, a.key = a.sign("ca", true)
	return a
}

func (a *authority) sign(name string, isCA bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.place.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: isCA, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	parent, signer := a.cert, a.key
	if isCA {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.place.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.place.t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.place.t.Fatal(err)
	}
	a.place.file(name+".pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	a.place.file(name+"-key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
	return cert, key
}

func (a *authority) serverTLS() *tls.Config {
	_, _ = a.sign("server", false)
	pair, err := tls.LoadX509KeyPair(filepath.Join(a.place.dir, "server.pem"), filepath.Join(a.place.dir, "server-key.pem"))
	if err != nil {
		a.place.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12}
}

// reaches expects a way in to work, and the same without it to be refused without a word of the secret.
func (p *place) reaches(what string, vars map[string]string, args ...string) {
	p.t.Helper()
	if got := p.serin(vars, append([]string{"setup"}, args...)...); got != exitOK || !strings.Contains(p.out.String(), "SERIN_JOURNAL") {
		p.t.Errorf("%s: status %d: %s", what, got, p.out.String())
	}
}

func (p *place) refused(what string, want int, vars map[string]string, args ...string) {
	p.t.Helper()
	if got := p.serin(vars, append([]string{"setup"}, args...)...); got != want {
		p.t.Errorf("%s: status %d, want %d: %s", what, got, want, p.out.String())
	}
	if strings.Contains(p.out.String(), hunter2) {
		p.t.Errorf("%s tells a secret: %s", what, p.out.String())
	}
}

func TestUsersAndTokensComeFromFilesTheEnvironmentAndContexts(t *testing.T) {
	p := newPlace(t)
	addr := natsWith(t, &server.Options{Username: "ops", Password: hunter2})
	p.file("password", hunter2+"\n")
	p.reaches("flags", nil, "--nats", addr, "--user", "ops", "--password-file", "password")
	p.reaches("a URL in the environment", map[string]string{"SERIN_NATS": "nats://ops:" + hunter2 + "@" + addr})
	p.reaches("the environment", map[string]string{"SERIN_NATS": addr, "SERIN_USER": "ops", "SERIN_PASSWORD": hunter2})
	p.reaches("a user as flag, a password from the environment", map[string]string{"SERIN_PASSWORD": hunter2}, "--nats", addr, "--user", "ops")
	p.refused("nobody", exitUnreachable, nil, "--nats", addr)
	p.refused("a wrong password", exitUnreachable, map[string]string{"SERIN_NATS": "nats://ops:" + hunter2 + "wrong@" + addr})
	p.refused("a password on the command line", exitUsage, nil, "--nats", "nats://ops:"+hunter2+"@"+addr)
	p.refused("a token on the command line", exitUsage, nil, "--nats", "nats://"+hunter2+"@"+addr)
	p.refused("an address that cannot be read", exitUnreachable, map[string]string{"SERIN_NATS": "nats://ops:" + hunter2 + "@[::1"})
	p.refused("a port that cannot be read", exitUnreachable, map[string]string{"SERIN_NATS": "nats://ops:" + hunter2})
	p.refused("no file", exitUsage, nil, "--nats", addr, "--user", "ops", "--password-file", "nowhere")

	token := natsWith(t, &server.Options{Authorization: hunter2})
	p.reaches("a token file", nil, "--nats", token, "--token-file", "password")
	p.reaches("a token in the environment", map[string]string{"SERIN_NATS": token, "SERIN_TOKEN": hunter2})
	p.reaches("a token in the URL", map[string]string{"SERIN_NATS": "nats://" + hunter2 + "@" + token})

	p.file(".config/nats/context/shop.json", `{"url":"nats://`+addr+`","user":"ops","password":"`+hunter2+`"}`)
	p.file(".config/nats/context/other.json", `{"url":"nats://`+token+`","token":"`+hunter2+`"}`)
	p.file(".config/nats/context.txt", "other\n")
	p.reaches("a context", nil, "--context", "shop")
	p.reaches("the selected context", nil, "--context", ".")
	p.reaches("a context in the environment", map[string]string{"SERIN_CONTEXT": "shop"})
	p.reaches("a flag before a context", nil, "--context", "shop", "--nats", token, "--token-file", "password")
	p.reaches("the environment before a context", map[string]string{"SERIN_CONTEXT": "shop", "SERIN_NATS": token, "SERIN_TOKEN": hunter2})
	p.reaches("a flag before the environment", map[string]string{"SERIN_CONTEXT": "other"}, "--context", "shop")
	p.refused("a selected context that nobody asked for", exitUnreachable, nil)
	p.reaches("another directory", map[string]string{"XDG_CONFIG_HOME": filepath.Join(p.dir, ".config"), "HOME": "/nowhere"}, "--context", "shop")
	for name, text := range map[string]string{
		"nsc": `{"nsc":"nsc://a/b/c"}`, "domain": `{"jetstream_domain":"hub"}`, "broken": `{"token":"` + hunter2, "typed": `{"token":{"a":"` + hunter2 + `"}}`,
	} {
		p.file(".config/nats/context/"+name+".json", text)
		p.refused(name, exitUsage, nil, "--context", name)
	}
	for _, name := range []string{"../context/shop", "nowhere", "..", ""} {
		p.refused("context "+name, map[bool]int{true: exitUnreachable, false: exitUsage}[name == ""], nil, "--context", name)
	}
}

func TestAServerThatAsksForCertificatesGetsOne(t *testing.T) {
	p := newPlace(t)
	a := newAuthority(p)
	a.sign("client", false)
	addr := natsWith(t, &server.Options{TLS: true, TLSVerify: true, TLSConfig: a.serverTLS(), TLSTimeout: 5, Username: "ops", Password: hunter2})
	vars := map[string]string{"SERIN_USER": "ops", "SERIN_PASSWORD": hunter2}
	p.reaches("flags", vars, "--nats", "tls://"+addr, "--ca", "ca.pem", "--cert", "client.pem", "--key", "client-key.pem")
	p.file(".config/nats/context/tls.json", `{"url":"tls://`+addr+`","user":"ops","password":"`+hunter2+`","ca":"~/ca.pem","cert":"~/client.pem","key":"~/client-key.pem"}`)
	p.reaches("a context", nil, "--context", "tls")
	env := maps.Clone(vars)
	maps.Copy(env, map[string]string{"SERIN_NATS": "tls://" + addr, "SERIN_CA": "ca.pem", "SERIN_CERT": "client.pem", "SERIN_KEY": "client-key.pem"})
	p.reaches("the environment", env)
	p.refused("no certificate", exitUnreachable, vars, "--nats", "tls://"+addr, "--ca", "ca.pem")
	p.refused("a server nobody vouches for", exitUnreachable, vars, "--nats", "tls://"+addr, "--cert", "client.pem", "--key", "client-key.pem")
	p.refused("half of a pair", exitUsage, vars, "--nats", "tls://"+addr, "--ca", "ca.pem", "--cert", "client.pem")
}

// user is a new key for a user, and its seed.
func user(t *testing.T) (nkeys.KeyPair, string, string) {
	t.Helper()
	key, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, err := key.Seed()
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return key, public, string(seed)
}

func TestNkeysAreShownFromTheirFile(t *testing.T) {
	p := newPlace(t)
	_, public, seed := user(t)
	addr := natsWith(t, &server.Options{Nkeys: []*server.NkeyUser{{Nkey: public}}})
	p.file("user.nk", seed)
	p.reaches("a flag", nil, "--nats", addr, "--nkey", "user.nk")
	p.reaches("the environment", map[string]string{"SERIN_NATS": addr, "SERIN_NKEY": "user.nk"})
	p.file(".config/nats/context/nk.json", `{"url":"nats://`+addr+`","nkey":"~/user.nk"}`)
	p.reaches("a context", nil, "--context", "nk")
	_, _, other := user(t)
	p.file("other.nk", other)
	p.refused("another key", exitUnreachable, nil, "--nats", addr, "--nkey", "other.nk")
	p.file("broken.nk", "SU"+hunter2)
	p.refused("a broken key", exitUnreachable, nil, "--nats", addr, "--nkey", "broken.nk")
	if strings.Contains(p.out.String(), seed) || strings.Contains(p.out.String(), other) {
		t.Error("a seed is told")
	}
}

func TestCredentialsFilesAreShown(t *testing.T) {
	p := newPlace(t)
	operator, err := nkeys.CreateOperator()
	if err != nil {
		t.Fatal(err)
	}
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	public := func(k nkeys.KeyPair) string { name, _ := k.PublicKey(); return name }
	encode := func(c interface {
		Encode(nkeys.KeyPair) (string, error)
	}, by nkeys.KeyPair) string {
		text, err := c.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	system, err := nkeys.CreateAccount() // JetStream asks for one
	if err != nil {
		t.Fatal(err)
	}
	trusted := jwt.NewOperatorClaims(public(operator))
	trusted.SystemAccount = public(system)
	operatorJWT := encode(trusted, operator)
	claims := jwt.NewAccountClaims(public(account))
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{MemoryStorage: -1, DiskStorage: -1, Streams: -1, Consumer: -1}
	accountJWT := encode(claims, operator)
	_, name, seed := user(t)
	creds, err := jwt.FormatUserConfig(encode(jwt.NewUserClaims(name), account), []byte(seed))
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := jwt.DecodeOperatorClaims(operatorJWT)
	if err != nil {
		t.Fatal(err)
	}
	resolver := &server.MemAccResolver{}
	for name, text := range map[string]string{public(account): accountJWT, public(system): encode(jwt.NewAccountClaims(public(system)), operator)} {
		if err := resolver.Store(name, text); err != nil {
			t.Fatal(err)
		}
	}
	addr := natsWith(t, &server.Options{TrustedOperators: []*jwt.OperatorClaims{decoded}, AccountResolver: resolver, SystemAccount: public(system)})
	p.file("ops.creds", string(creds))
	p.reaches("a flag", nil, "--nats", addr, "--creds", "ops.creds")
	p.reaches("the environment", map[string]string{"SERIN_NATS": addr, "SERIN_CREDS": "ops.creds"})
	p.file(".config/nats/context/creds.json", `{"url":"nats://`+addr+`","creds":"~/ops.creds"}`)
	p.reaches("a context", nil, "--context", "creds")
	p.refused("nobody", exitUnreachable, nil, "--nats", addr)
	p.refused("no file", exitUnreachable, nil, "--nats", addr, "--creds", "nowhere.creds")
	if strings.Contains(p.out.String(), seed) {
		t.Error("a seed is told")
	}
}

func TestADaemonsLogHasNoSecrets(t *testing.T) {
	p := newPlace(t)
	addr := natsWith(t, &server.Options{Username: "ops", Password: hunter2})
	vars := map[string]string{"SERIN_NATS": "nats://ops:" + hunter2 + "@" + addr}
	p.reaches("setup", vars)
	p.file("policies.yaml", guardedPolicies)
	p.file("webhook", "http://127.0.0.1:1/services/"+hunter2)
	log := &syncBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"serve", "-v", "--policies", "policies.yaml", "--http", "127.0.0.1:0", "--slack-webhook-file", "webhook"},
			Env{Stdout: log, Stderr: log, Now: time.Now, Dir: p.dir, Getenv: func(name string) string { return vars[name] }})
	}()
	await(t, "the daemon", func() bool { return strings.Contains(log.String(), "serving") })
	if got := p.serin(vars, "release", "cart", "2.0.0"); got != exitOK {
		t.Errorf("status %d: %s", got, p.out.String())
	}
	// Slack is not there, which the log tells.
	await(t, "a word about Slack", func() bool { return strings.Contains(log.String(), "tell slack") })
	stop()
	if got := <-done; got != exitOK {
		t.Errorf("status %d", got)
	}
	if s := log.String(); strings.Contains(s, hunter2) {
		t.Errorf("a secret is in the log:\n%s", s)
	}
}
