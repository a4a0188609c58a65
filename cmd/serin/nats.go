package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments/jetstream"
)

// defaultData is where the embedded server keeps everything, seen from the working directory.
const defaultData = ".serin"

// natsFlags say which NATS a command talks to, and as whom. Secrets come from files or the environment, never from the
// command line: every user of a machine can list those.
type natsFlags struct {
	natsAccess
	context      string
	config       string // the file
	data, prefix string
	layers       []natsLayer // where the access came from, first first
}

// natsAccess is where a NATS is and who we are there. Files are paths as given.
type natsAccess struct {
	url                     string
	token, user, password   string
	tokenFile, passwordFile string
	creds, nkey             string // files
	ca, cert, key           string // files
	inbox                   string
}

// natsLayer is one place that says something about the access.
type natsLayer struct {
	says func(what string) string // where in it something is named
	natsAccess
}

// named is the place of that name, whatever it says.
func named(place string) func(string) string { return func(string) string { return place } }

// byFile is the name of a thing that only a file may hold, which is the name of the file.
func byFile(what string) string {
	if what == "token" || what == "password" {
		return what + "-file"
	}
	return what
}

// add gives a command the flags. Without any of them it talks to the server that runs on the data directory.
func (f *natsFlags) add(cmd *cobra.Command) {
	text := func(to *string, name, usage string) { cmd.Flags().StringVar(to, name, "", usage) }
	text(&f.url, "nats", "NATS server URL, without secrets (default: SERIN_NATS, else the server that runs on --data)")
	text(&f.context, "context", "context of the nats command, . for the one selected there (default: SERIN_CONTEXT)")
	text(&f.creds, "creds", "NATS credentials file (default: SERIN_CREDS)")
	text(&f.nkey, "nkey", "file with the seed of a NATS nkey (default: SERIN_NKEY)")
	text(&f.user, "user", "NATS user (default: SERIN_USER), with --password-file or SERIN_PASSWORD")
	text(&f.passwordFile, "password-file", "file with the NATS user's password")
	text(&f.tokenFile, "token-file", "file with a NATS token (default: the token in SERIN_TOKEN)")
	text(&f.ca, "ca", "PEM file with the authority that signed the NATS server's certificate (default: SERIN_CA)")
	text(&f.cert, "cert", "PEM file with a client certificate (default: SERIN_CERT)")
	text(&f.key, "key", "PEM file with the client certificate's key (default: SERIN_KEY)")
	text(&f.inbox, "inbox", "prefix of replies (default: SERIN_INBOX, else _INBOX.USER where a user is named)")
	text(&f.prefix, "prefix", `what subjects begin with (default "serin")`)
	text(&f.config, "config", "configuration file (default: SERIN_CONFIG, else serin.yaml here, ~/.config/serin/config.yaml or "+systemConfig+")")
	cmd.Flags().StringVar(&f.data, "data", defaultData, "data directory of the embedded server")
}

// resolve takes in the environment, the configuration file and the context: what a flag says goes first, then what the
// environment does.
func (f *natsFlags) resolve(env Env) error {
	if jetstream.RedactURL(f.url) != f.url {
		return errors.New("--nats must be a URL without a user, a password or a token: everybody on this machine can read it; use --user and --password-file, --token-file, or SERIN_NATS")
	}
	get := env.Getenv
	f.layers = []natsLayer{{func(what string) string { return "--" + byFile(what) }, f.natsAccess}, {variable, natsAccess{
		url: get("SERIN_NATS"), token: get("SERIN_TOKEN"), user: get("SERIN_USER"), password: get("SERIN_PASSWORD"), creds: get("SERIN_CREDS"),
		tokenFile: get("SERIN_TOKEN_FILE"), passwordFile: get("SERIN_PASSWORD_FILE"),
		nkey: get("SERIN_NKEY"), ca: get("SERIN_CA"), cert: get("SERIN_CERT"), key: get("SERIN_KEY"), inbox: get("SERIN_INBOX"),
	}}}
	name := cmp.Or(f.context, get("SERIN_CONTEXT"))
	if env.settings != nil {
		there, context := env.settings.access()
		if jetstream.RedactURL(there.url) != there.url {
			return fmt.Errorf("%s: nats.url must be without a user, a password or a token: write user and password_file, or token_file", env.settings.path)
		}
		f.layers = append(f.layers, natsLayer{env.settings.says, there})
		name = cmp.Or(name, context)
	}
	if name != "" {
		there, err := readContext(env, name)
		if err != nil {
			return err
		}
		f.layers = append(f.layers, natsLayer{named("context " + name), there})
	}
	return f.merge(env)
}

// merge makes one access of the layers.
func (f *natsFlags) merge(env Env) error {
	f.natsAccess = natsAccess{}
	for _, l := range f.layers {
		f.natsAccess = f.over(l.natsAccess)
	}
	var err error
	if f.token, err = secretIn(env, f.tokenFile, f.token); err != nil {
		return fmt.Errorf("read NATS token: %w", err)
	}
	if f.password, err = secretIn(env, f.passwordFile, f.password); err != nil {
		return fmt.Errorf("read NATS password: %w", err)
	}
	if (f.cert == "") != (f.key == "") {
		return errors.New("a client certificate needs both --cert and --key")
	}
	return f.names().Validate()
}

// secretIn is what a file says, or else what is known.
func secretIn(env Env, path, known string) (string, error) {
	if path == "" {
		return known, nil
	}
	text, err := os.ReadFile(env.Path(path))
	return strings.TrimSpace(string(text)), err
}

// over fills in what is missing. Who we are is taken from one place: half of one identity and half of another is nobody.
func (a natsAccess) over(b natsAccess) natsAccess {
	out := natsAccess{url: cmp.Or(a.url, b.url), ca: cmp.Or(a.ca, b.ca), cert: a.cert, key: a.key, inbox: cmp.Or(a.inbox, b.inbox)}
	if a.cert == "" && a.key == "" {
		out.cert, out.key = b.cert, b.key
	}
	from := a
	if a.token+a.user+a.password+a.creds+a.nkey+a.tokenFile+a.passwordFile == "" {
		from = b
	}
	out.token, out.user, out.password, out.creds, out.nkey = from.token, from.user, from.password, from.creds, from.nkey
	out.tokenFile, out.passwordFile = from.tokenFile, from.passwordFile
	if out.user != "" && out.password+out.passwordFile == "" && (b.user == "" || b.user == out.user) {
		out.password, out.passwordFile = b.password, b.passwordFile
	}
	return out
}

func (f *natsFlags) names() jetstream.Names { return jetstream.Names{Prefix: f.prefix} }

func (f *natsFlags) client(env Env) jetstream.ClientOptions {
	file := func(path string) string {
		if path == "" {
			return ""
		}
		return env.Path(path)
	}
	return jetstream.ClientOptions{Name: "serin", Token: f.token, User: f.user, Password: f.password, Creds: file(f.creds), Nkey: file(f.nkey),
		CA: file(f.ca), Cert: file(f.cert), Key: file(f.key), Inbox: f.inbox}
}

// dial connects a command to a running serin: to --nats, or to the server on the data directory.
func (f *natsFlags) dial(ctx context.Context, env Env) (*remote, error) {
	if err := f.resolve(env); err != nil {
		return nil, exitError{code: exitUsage, err: err}
	}
	url, o, err := f.where(env)
	if err != nil {
		return nil, err
	}
	nc, err := jetstream.Connect(ctx, url, o)
	if err != nil && f.url == "" { // what is left of a server that was killed looks like one that runs
		err = fmt.Errorf("%w: does serin serve still run on %s?", err, f.data)
	}
	if err != nil {
		return nil, exitError{code: exitUnreachable, err: err}
	}
	js, err := natsjs.New(nc)
	if err != nil {
		nc.Close()
		return nil, err
	}
	return &remote{nc: nc, js: js, names: f.names()}, nil
}

// where is the NATS to connect to: the one that is named, the server that runs on the data directory, or else the one
// that the nats command's own variables name. A daemon never looks at those: they were set for something else.
func (f *natsFlags) where(env Env) (string, jetstream.ClientOptions, error) {
	if f.url != "" {
		return f.url, f.client(env), nil
	}
	at, missing := jetstream.ReadEndpoint(env.Path(f.data))
	if missing == nil {
		return at.URL, jetstream.ClientOptions{Name: "serin", Token: at.Token, CA: f.client(env).CA, Inbox: f.inbox}, nil
	}
	if !errors.Is(missing, fs.ErrNotExist) {
		return "", jetstream.ClientOptions{}, missing
	}
	there, err := natsVariables(env)
	if err == nil && there.url != "" {
		f.layers = append(f.layers, there)
		err = f.merge(env)
	}
	switch {
	case err != nil:
		return "", jetstream.ClientOptions{}, exitError{code: exitUsage, err: err}
	case f.url == "":
		return "", jetstream.ClientOptions{}, exitError{code: exitUnreachable, err: missing}
	}
	return f.url, f.client(env), nil
}

// remote is a serin that runs somewhere.
type remote struct {
	nc    *nats.Conn
	js    natsjs.JetStream
	names jetstream.Names
}

func (r *remote) close() { r.nc.Close() }

func (r *remote) reader() jetstream.Reader { return jetstream.Reader{JS: r.js, Names: r.names} }

// flags is the bucket of flags: under another prefix where the user has an account of its own.
func (r *remote) flags(ctx context.Context) (natsjs.KeyValue, error) {
	bucket := r.names.Bucket(jetstream.FlagsBucket)
	foreign, err := natsjs.NewWithAPIPrefix(r.nc, r.names.API())
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if kv, err := foreign.KeyValue(limited, bucket); err == nil {
		return kv, nil
	}
	return r.js.KeyValue(ctx, bucket)
}

func (r *remote) client() jetstream.Client { return jetstream.Client{Conn: r.nc, Names: r.names} }
