package main

import (
	"cmp"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/serin-cd/serin/deployments/jetstream"
)

// setting is one setting, and where it came from.
type setting struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	From  string `json:"from"`
}

// configuration is what `serin config` shows.
type configuration struct {
	File     string    `json:"file,omitempty"`
	LookedAt []string  `json:"looked_at,omitempty"`
	Settings []setting `json:"settings"`
}

func newConfig(env Env) *cobra.Command {
	var f natsFlags
	var output string
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Say which settings count here, and where each comes from",
		Long: "Config reads the configuration file and says of each setting what it is and which source won: a flag, the environment (SERIN_ and\n" +
			"the flag's name in capitals), the configuration file, a context of the nats command, or the default. Secrets are not shown.\n" +
			"Without a NATS of its own a command takes the server that runs on --data, else NATS_CONTEXT or NATS_URL and its like.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := textOrJSON(output); err != nil {
				return err
			}
			c, err := f.configuration(cmd.Flags(), env)
			if err != nil {
				return exitError{code: exitUsage, err: err}
			}
			if output == "json" {
				return printJSON(env.Stdout, c)
			}
			return c.print(env)
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(new(string), "env", "", "environment of commands that are given none")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "text or json")
	return cmd
}

func (f *natsFlags) configuration(flags *pflag.FlagSet, env Env) (configuration, error) {
	if err := f.resolve(env); err != nil {
		return configuration{}, err
	}
	c := configuration{File: env.settings.path}
	if c.File == "" {
		c.LookedAt = configPlaces(env)
	}
	c.Settings = f.connection(env)
	c.list(flags, env.settings.from, "", func(name string) bool { return name == "data" || name == "prefix" || name == "env" })
	serve := newServe(env).Flags()
	from, err := fill(serve, true, env)
	if err != nil {
		return c, err
	}
	c.list(serve, from, "serve.", func(name string) bool {
		return !isNATS(name) && name != "data" && name != "prefix" && name != "config" && name != "help"
	})
	inputs, _ := env.settings.subjects() // what is wrong with them is among the findings below
	for _, in := range inputs {
		c.Settings = append(c.Settings, setting{"inputs." + in.Name, in.Subject, c.File})
	}
	receivers, err := env.settings.receivers()
	for _, r := range receivers {
		c.Settings = append(c.Settings, setting{"notify." + r.Name, string(r.Kind), c.File})
	}
	return c, err
}

// list adds the flags that have a value.
func (c *configuration) list(flags *pflag.FlagSet, from map[string]string, prefix string, wanted func(string) bool) {
	flags.VisitAll(func(f *pflag.Flag) {
		source, set := from[f.Name]
		if value := f.Value.String(); wanted(f.Name) && (set || value != "" && value != "[]" && value != "false" && value != "0") {
			c.Settings = append(c.Settings, setting{prefix + keyOf(f.Name), value, cmp.Or(source, "default")})
		}
	})
}

// accessParts are what `serin config` shows of a [natsAccess].
var accessParts = []struct {
	name string
	of   func(natsAccess) string
}{
	{"nats", func(a natsAccess) string { return a.url }},
	{"user", func(a natsAccess) string { return a.user }},
	{"password", func(a natsAccess) string { return a.password + a.passwordFile }},
	{"token", func(a natsAccess) string { return a.token + a.tokenFile }},
	{"creds", func(a natsAccess) string { return a.creds }},
	{"nkey", func(a natsAccess) string { return a.nkey }},
	{"ca", func(a natsAccess) string { return a.ca }},
	{"cert", func(a natsAccess) string { return a.cert }},
	{"key", func(a natsAccess) string { return a.key }},
	{"inbox", func(a natsAccess) string { return a.inbox }},
}

// connection says where a command would connect to, and as whom.
func (f *natsFlags) connection(env Env) []setting {
	named := f.url
	url, _, err := f.where(env)
	all := []setting{{"nats", jetstream.RedactURL(url), ""}}
	switch {
	case err != nil:
		all[0] = setting{"nats", "none", err.Error()}
	case named == "" && f.url == "":
		all[0].From = "the server that runs on " + f.data
	}
	for i, a := range accessParts {
		value := a.of(f.natsAccess)
		if value == "" {
			continue
		}
		source := f.source(a.name, a.of)
		switch {
		case i == 0:
			all[0].From = source
			continue
		case a.name == "password":
			value = cmp.Or(f.passwordFile, "(not shown)")
		case a.name == "token":
			value = cmp.Or(f.tokenFile, "(not shown)")
		}
		all = append(all, setting{a.name, value, source})
	}
	return all
}

// source is the first place that names a value, which is the one that won.
func (f *natsFlags) source(what string, of func(natsAccess) string) string {
	merged := f.natsAccess
	if f.passwordFile != "" {
		merged.password = "" // it was read from the file
	}
	if f.tokenFile != "" {
		merged.token = ""
	}
	for _, l := range f.layers {
		if of(l.natsAccess) == of(merged) {
			return l.says(what)
		}
	}
	return ""
}

func (c configuration) print(env Env) error {
	if c.File != "" {
		fmt.Fprintln(env.Stdout, "configuration file:", clean(c.File))
	} else {
		fmt.Fprintln(env.Stdout, "no configuration file; looked for", clean(strings.Join(c.LookedAt, ", ")))
	}
	w := tabwriter.NewWriter(env.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tFROM")
	for _, s := range c.Settings {
		fmt.Fprintf(w, "%s\t%s\t%s\n", s.Name, clean(s.Value), clean(s.From))
	}
	return w.Flush()
}
