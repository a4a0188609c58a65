package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	natsjs "github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments/jetstream"
)

// defaultData is where the embedded server keeps everything, seen from the working directory.
const defaultData = ".serin"

// natsFlags say which NATS a command talks to.
type natsFlags struct {
	url, creds, token, tokenFile, ca string
	data, prefix, inbox              string
}

// add gives a command the flags. Without any of them it talks to the server that runs on the data directory.
func (f *natsFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.url, "nats", "", "NATS server URL (default: SERIN_NATS, else the server that runs on --data)")
	cmd.Flags().StringVar(&f.creds, "creds", "", "NATS credentials file")
	cmd.Flags().StringVar(&f.tokenFile, "token-file", "", "file with a NATS token")
	cmd.Flags().StringVar(&f.ca, "ca", "", "PEM file with the authority that signed the NATS server's certificate")
	cmd.Flags().StringVar(&f.data, "data", defaultData, "data directory of the embedded server")
	cmd.Flags().StringVar(&f.inbox, "inbox", "", "prefix of replies (default: SERIN_INBOX, else _INBOX.USER when the URL names a user)")
	cmd.Flags().StringVar(&f.prefix, "prefix", "", `what subjects begin with (default "serin")`)
}

// resolve fills in what the environment says.
func (f *natsFlags) resolve(env Env) error {
	if f.url == "" {
		f.url = env.Getenv("SERIN_NATS")
	}
	if f.inbox == "" {
		f.inbox = env.Getenv("SERIN_INBOX")
	}
	if f.tokenFile != "" {
		text, err := os.ReadFile(env.Path(f.tokenFile))
		if err != nil {
			return fmt.Errorf("read NATS token: %w", err)
		}
		f.token = strings.TrimSpace(string(text))
	}
	return f.names().Validate()
}

func (f *natsFlags) names() jetstream.Names { return jetstream.Names{Prefix: f.prefix} }

func (f *natsFlags) client(env Env) jetstream.ClientOptions {
	o := jetstream.ClientOptions{Name: "serin", Token: f.token, CA: f.ca, Inbox: f.inbox}
	if f.creds != "" {
		o.Creds = env.Path(f.creds)
	}
	return o
}

// dial connects a command to a running serin: to --nats, or to the server on the data directory.
func (f *natsFlags) dial(ctx context.Context, env Env) (*remote, error) {
	if err := f.resolve(env); err != nil {
		return nil, exitError{code: exitUsage, err: err}
	}
	o, url := f.client(env), f.url
	if url == "" {
		at, err := jetstream.ReadEndpoint(env.Path(f.data))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, exitError{code: exitUnreachable, err: err}
		}
		if err != nil {
			return nil, err
		}
		url, o.Token = at.URL, at.Token
	}
	nc, err := jetstream.Connect(ctx, url, o)
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

// remote is a serin that runs somewhere.
type remote struct {
	nc    *nats.Conn
	js    natsjs.JetStream
	names jetstream.Names
}

func (r *remote) close() { r.nc.Close() }

func (r *remote) client() jetstream.Client { return jetstream.Client{Conn: r.nc, Names: r.names} }
