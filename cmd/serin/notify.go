package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
	"github.com/serin-cd/serin/deployments/notify"
)

func newNotify(env Env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "notify", Short: "Look at who is told of events, tell one a test message, and see what one would be sent",
		Long: "Notify is about the receivers of the configuration file (notify:), and the one that --slack-webhook-file of serin serve makes.",
	}
	cmd.AddCommand(newNotifyList(env), newNotifyTest(env), newNotifyRender(env))
	return cmd
}

// configuredReceivers are those that a daemon with this configuration would have.
func configuredReceivers(env Env) ([]notify.Receiver, error) {
	cfg := daemonConfig{Env: env}
	serve := newServe(env)
	if _, err := fill(serve.Flags(), true, env); err != nil {
		return nil, exitError{code: exitUsage, err: err}
	}
	file := serveFlags{slackFile: serve.Flags().Lookup("slack-webhook-file").Value.String()}
	var err, wrong error
	cfg.Slack, wrong = file.slack(env)
	if cfg.Receivers, err = env.settings.receivers(); err == nil {
		cfg.Receivers, err = cfg.receivers()
	}
	if err = errors.Join(err, wrong); err != nil {
		return nil, exitError{code: exitUsage, err: err}
	}
	return cfg.Receivers, nil
}

// receiverNamed is one of the configured receivers.
func receiverNamed(env Env, name string) (notify.Receiver, error) {
	all, err := configuredReceivers(env)
	if err != nil {
		return notify.Receiver{}, err
	}
	i := slices.IndexFunc(all, func(r notify.Receiver) bool { return r.Name == name })
	if i >= 0 {
		return all[i], nil
	}
	var names []string
	for _, r := range all {
		names = append(names, r.Name)
	}
	cure := "the configuration names none: write a list notify: into it"
	if len(names) > 0 {
		cure = "there are " + strings.Join(names, ", ")
	}
	return notify.Receiver{}, exitError{code: exitUsage, err: fmt.Errorf("no receiver is named %q: %s", name, cure)}
}

func newNotifyTest(env Env) *cobra.Command {
	var f natsFlags
	var name, output string
	cmd := &cobra.Command{
		Use: "test --receiver NAME", Short: "Send a receiver a message that says that it is a test", Args: cobra.NoArgs,
		Long:    "Test sends one message now, from here, and says what the receiver answered. It exits with 1 when the receiver did not take it.",
		Example: "  serin notify test --receiver deploys",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			r, err := receiverNamed(env, name)
			if err != nil {
				return err
			}
			teller, err := notify.Open(r, notify.Options{Memory: &notify.Brief{}, Now: env.Now})
			if err != nil {
				return err
			}
			err = teller.Test(cmd.Context(), env.Now())
			return tested(env, r, err, output)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&name, "receiver", "", "name of the receiver")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	if err := cmd.MarkFlagRequired("receiver"); err != nil {
		panic(err) // the flag stands above
	}
	return cmd
}

// tested says what a receiver answered.
func tested(env Env, r notify.Receiver, refused error, output string) error {
	said := struct {
		Receiver string `json:"receiver"`
		Kind     string `json:"kind"`
		Taken    bool   `json:"taken"`
		Error    string `json:"error,omitempty"`
	}{r.Name, string(r.Kind), refused == nil, ""}
	if refused != nil {
		said.Error = refused.Error()
	}
	switch {
	case output == "json":
		if err := printJSON(env.Stdout, said); err != nil {
			return err
		}
	case refused == nil:
		fmt.Fprintf(env.Stdout, "%s (%s) took the message\n", r.Name, r.Kind)
	default:
		fmt.Fprintf(env.Stdout, "%s (%s) did not take the message: %s\n", r.Name, r.Kind, clean(said.Error))
	}
	if refused != nil {
		return exitError{code: exitNo}
	}
	return nil
}

func newNotifyRender(env Env) *cobra.Command {
	var f natsFlags
	var name, kind, event string
	cmd := &cobra.Command{
		Use: "render --event FILE", Short: "Print what a receiver would be sent for an event", Args: cobra.NoArgs,
		Long: "Render prints, for each event of a file, whether a receiver wants it and what it would be sent, as JSON; nothing is sent.\n" +
			"The file has lines of `serin events -o jsonl`; - is standard input.",
		Example: "  serin notify render --receiver deploys --event events.jsonl\n" +
			"  serin notify render --kind slack --event -",
		RunE: func(_ *cobra.Command, _ []string) error {
			r, err := receiverToRender(env, name, kind)
			if err != nil {
				return err
			}
			teller, err := notify.Open(r, notify.Options{Memory: &notify.Brief{}, Now: env.Now})
			if err != nil {
				return err
			}
			lines, err := readEvents(env, event)
			if err != nil {
				return exitError{code: exitUsage, err: err}
			}
			for _, e := range lines {
				if err := renderOne(env.Stdout, teller, e); err != nil {
					return err
				}
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&name, "receiver", "", "name of a receiver of the configuration")
	cmd.Flags().StringVar(&kind, "kind", "", "without a receiver: slack, slack-webhook or webhook")
	cmd.Flags().StringVar(&event, "event", "", "file with events, a JSON object a line; - is standard input")
	cmd.MarkFlagsMutuallyExclusive("receiver", "kind")
	if err := cmd.MarkFlagRequired("event"); err != nil {
		panic(err) // the flag stands above
	}
	return cmd
}

// receiverToRender is a configured receiver, or one of a kind with nothing chosen.
func receiverToRender(env Env, name, kind string) (notify.Receiver, error) {
	if name != "" {
		return receiverNamed(env, name)
	}
	r := notify.Receiver{Name: "any", Group: notify.ByRollout}
	switch kind {
	case "slack":
		r.Kind, r.Channel = notify.SlackChannel, "#channel"
	case "slack-webhook":
		r.Kind = notify.SlackWebhook
	case "webhook":
		r.Kind = notify.HTTPWebhook
	case "":
		return r, exitError{code: exitUsage, err: errors.New("name a --receiver, or a --kind: slack, slack-webhook or webhook")}
	default:
		return r, exitError{code: exitUsage, err: fmt.Errorf("--kind %q is not one of slack, slack-webhook, webhook", kind)}
	}
	return r, nil
}

// renderOne prints what becomes of an event.
func renderOne(out io.Writer, teller *notify.Teller, e deployments.Event) error {
	sent, err := teller.Render(e)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Event  string          `json:"event"`
		Wanted bool            `json:"wanted"`
		Sent   json.RawMessage `json:"sent"`
	}{e.ID, teller.Receiver.Wants(e), sent})
}

// readEvents reads lines of `serin events -o jsonl`.
func readEvents(env Env, path string) ([]deployments.Event, error) {
	const longest = 4 << 20
	text, err := io.ReadAll(env.Stdin)
	if path != "-" {
		text, err = os.ReadFile(env.Path(path))
	}
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	var all []deployments.Event
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, longest)
	for n := 1; lines.Scan(); n++ {
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var l eventLine
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil || l.Event == "" {
			return nil, fmt.Errorf("%s:%d: is no event: write a line of `serin events -o jsonl`", path, n)
		}
		all = append(all, deployments.Event{ID: l.ID, Name: l.Event, Severity: l.Severity, Time: l.Time, Data: l.Data,
			Slot: deployments.Slot{Environment: l.Data.Environment, Service: l.Data.Service}})
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return all, nil
}
