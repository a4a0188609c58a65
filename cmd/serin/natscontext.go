package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// selectedContext stands for the context that `nats context select` has chosen. It is never used unasked: a daemon
// would then join a NATS that was chosen for something else.
const selectedContext = "."

// natsContext is a file of the nats command, as far as serin knows it.
type natsContext struct {
	URL      string `json:"url"`
	Token    string `json:"token"`
	User     string `json:"user"`
	Password string `json:"password"`
	Creds    string `json:"creds"`
	Nkey     string `json:"nkey"`
	Cert     string `json:"cert"`
	Key      string `json:"key"`
	CA       string `json:"ca"`
	Inbox    string `json:"inbox_prefix"`

	// What serin does not know, and would change where or as whom it connects.
	NSC      string `json:"nsc"`
	Domain   string `json:"jetstream_domain"`
	API      string `json:"jetstream_api_prefix"`
	UserJWT  string `json:"user_jwt"`
	UserSeed string `json:"user_seed"`
	Proxy    string `json:"socks_proxy"`
	TLSFirst bool   `json:"tls_first"`
}

// readContext reads a context of the nats command by its name.
func readContext(env Env, name string) (natsAccess, error) {
	home := cmp.Or(env.Getenv("HOME"), env.Getenv("USERPROFILE"))
	dir := filepath.Join(cmp.Or(env.Getenv("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "nats")
	if name == selectedContext {
		text, err := os.ReadFile(filepath.Join(dir, "context.txt"))
		if err != nil {
			return natsAccess{}, fmt.Errorf("no NATS context is selected: %w", err)
		}
		name = strings.TrimSpace(string(text))
	}
	if name == "" || strings.ContainsAny(name, `/\`) || strings.HasPrefix(name, ".") {
		return natsAccess{}, fmt.Errorf("NATS context %q: write a name as `nats context ls` shows it", name)
	}
	text, err := os.ReadFile(filepath.Join(dir, "context", name+".json"))
	if err != nil {
		return natsAccess{}, fmt.Errorf("read NATS context %s: %w", name, err)
	}
	var c natsContext
	if err := json.Unmarshal(text, &c); err != nil {
		return natsAccess{}, fmt.Errorf("read NATS context %s: it is no context: %w", name, plain(err))
	}
	if unknown := c.unknown(); unknown != "" {
		return natsAccess{}, fmt.Errorf("NATS context %s uses %s, which serin does not: write a context with url and creds, nkey, user or token", name, unknown)
	}
	file := func(path string) string {
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			return filepath.Join(home, rest)
		}
		return path
	}
	return natsAccess{url: cmp.Or(c.URL, "nats://127.0.0.1:4222"), token: c.Token, user: c.User, password: c.Password, creds: file(c.Creds),
		nkey: file(c.Nkey), ca: file(c.CA), cert: file(c.Cert), key: file(c.Key), inbox: c.Inbox}, nil
}

// natsVariables is the access that the nats command's variables stand for.
func natsVariables(env Env) (natsLayer, error) {
	get := env.Getenv
	if name := get("NATS_CONTEXT"); name != "" {
		there, err := readContext(env, name)
		return natsLayer{named("NATS_CONTEXT " + name), there}, err
	}
	says := func(what string) string {
		if what == "nats" {
			return "NATS_URL"
		}
		return "NATS_" + strings.ToUpper(what)
	}
	return natsLayer{says, natsAccess{url: get("NATS_URL"), token: get("NATS_TOKEN"), user: get("NATS_USER"), password: get("NATS_PASSWORD"),
		creds: get("NATS_CREDS"), nkey: get("NATS_NKEY"), ca: get("NATS_CA"), cert: get("NATS_CERT"), key: get("NATS_KEY")}}, nil
}

func (c natsContext) unknown() string {
	first := ""
	for _, k := range []struct {
		name string
		used bool
	}{
		{"nsc", c.NSC != ""}, {"jetstream_domain", c.Domain != ""}, {"jetstream_api_prefix", c.API != ""}, {"user_jwt", c.UserJWT != ""},
		{"user_seed", c.UserSeed != ""}, {"socks_proxy", c.Proxy != ""}, {"tls_first", c.TLSFirst},
	} {
		if k.used && first == "" {
			first = k.name
		}
	}
	return first
}

// plain is an error about JSON without what stood there, which may be a secret.
func plain(err error) error {
	if wrong, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("%s has the wrong type", wrong.Field)
	}
	return errors.New("it is no JSON")
}
