package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/serin-cd/serin/deployments"
)

// completeWithin is how long a shell waits for what a running serin knows.
const completeWithin = time.Second

// candidates says what may stand somewhere on the command line.
type candidates = cobra.CompletionFunc

// completions gives the commands of the tree what shells complete: names of services and rollouts, as a running serin knows
// them, files, and the values of flags.
func completions(root *cobra.Command, env Env) {
	root.InitDefaultCompletionCmd()
	for path, what := range argumentsOf(env) {
		if cmd, rest, err := root.Find(strings.Fields(path)); err == nil && len(rest) == 0 && cmd.ValidArgsFunction == nil {
			cmd.ValidArgsFunction = what
		}
	}
	completeFlags(root, env)
}

// argumentsOf are the arguments of commands, by their path.
func argumentsOf(env Env) map[string]candidates {
	services, rollouts, files := first(slotNames(env, ofService)), first(slotNames(env, ofRollout)), filesOf("yaml", "yml")
	out := map[string]candidates{
		"explain": rollouts, "replay": rollouts, "wait": first(slotNames(env, ofRollout, ofService)),
		"check": files, "test": files, "import prometheus": files, "init": first(files),
		"schema": first(oneOf("policy", "tests")),
	}
	for _, name := range []string{"get", "status", "history", "release", "events", "ack", "promote", "abort", "pause", "resume", "approve", "retry"} {
		out[name] = services
	}
	return out
}

// outputs are the values of -o, by the command's path, where they are not text and json.
func outputs() map[string][]string {
	return map[string][]string{
		"serin check": {"text", "json", "github"}, "serin events": {"text", "jsonl"}, "serin explain": {"text", "json", "markdown"},
		"serin test": {"text", "json", "junit"}, "serin wait": {"text", "json", "jsonl", "github", "junit"}, "serin release": {"text", "json", "jsonl", "github", "junit"},
		"serin report": {"text", "json", "md"},
	}
}

// completeFlags gives flags their values, in the whole tree.
func completeFlags(cmd *cobra.Command, env Env) {
	for _, sub := range cmd.Commands() {
		completeFlags(sub, env)
	}
	give := func(name string, what candidates) {
		if cmd.LocalFlags().Lookup(name) == nil {
			return
		}
		if _, given := cmd.GetFlagCompletionFunc(name); !given {
			_ = cmd.RegisterFlagCompletionFunc(name, what)
		}
	}
	values, special := outputs()[cmd.CommandPath()]
	if !special {
		values = []string{"text", "json"}
	}
	give("output", oneOf(values...))
	give("env", slotNames(env, ofEnvironment))
	give("log", oneOf("text", "json"))
	give("fault", oneOf("errors", "latency", "crash", "none"))
	give("config", filesOf("yaml", "yml"))
	for _, name := range []string{"policies", "data"} {
		give(name, func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		})
	}
}

// oneOf completes fixed values.
func oneOf(values ...string) candidates {
	return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
}

// filesOf completes files by how their names end.
func filesOf(extensions ...string) candidates {
	return cobra.FixedCompletions(extensions, cobra.ShellCompDirectiveFilterFileExt)
}

// first completes the first argument alone.
func first(what candidates) candidates {
	return func(cmd *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return what(cmd, args, word)
	}
}

// part is a name in an entry; "" where it has none.
type part func(deployments.Entry) string

func ofService(e deployments.Entry) string     { return e.Slot.Service }
func ofEnvironment(e deployments.Entry) string { return e.Slot.Environment }

func ofRollout(e deployments.Entry) string {
	if e.State.Rollout == nil {
		return ""
	}
	return e.State.Rollout.ID
}

// slotNames completes names out of the newest entries of all slots; with --env, of that environment. Where nobody answers in
// time it completes nothing, and says nothing.
func slotNames(env Env, parts ...part) candidates {
	return func(cmd *cobra.Command, _ []string, word string) ([]string, cobra.ShellCompDirective) {
		if configure(cmd, env) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		only := ""
		if f := cmd.Flag("env"); f != nil && f.Changed {
			only = f.Value.String()
		}
		var names []string
		for _, e := range newestEntries(cmd, env) {
			for _, name := range parts {
				known := name(e)
				if known != "" && clean(known) == known && strings.HasPrefix(known, word) && (only == "" || only == e.Slot.Environment) {
					names = append(names, known)
				}
			}
		}
		slices.Sort(names)
		return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
	}
}

// newestEntries asks the serin that the command's flags lead to, and gives up soon.
func newestEntries(cmd *cobra.Command, env Env) []deployments.Entry {
	parent := cmd.Context()
	if parent == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(parent, completeWithin)
	defer cancel()
	found := make(chan []deployments.Entry, 1)
	go func() { // a connection may take longer than that; the process ends before
		var entries []deployments.Entry
		f := natsOf(cmd)
		if r, err := f.dial(ctx, env); err == nil {
			entries, _ = r.reader().Slots(ctx, "")
			r.close()
		}
		found <- entries
	}()
	select {
	case entries := <-found:
		return entries
	case <-ctx.Done():
		return nil
	}
}

// natsOf is what the flags of a command say of NATS.
func natsOf(cmd *cobra.Command) natsFlags {
	f := natsFlags{data: defaultData}
	for name, to := range map[string]*string{"nats": &f.url, "context": &f.context, "creds": &f.creds, "nkey": &f.nkey, "user": &f.user, "password-file": &f.passwordFile,
		"token-file": &f.tokenFile, "ca": &f.ca, "cert": &f.cert, "key": &f.key, "inbox": &f.inbox, "prefix": &f.prefix, "data": &f.data, "config": &f.config} {
		if flag := cmd.Flag(name); flag != nil && flag.Changed {
			*to = flag.Value.String()
		}
	}
	return f
}
