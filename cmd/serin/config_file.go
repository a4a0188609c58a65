package main

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/serin-cd/serin/deployments/notify"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// settings is a configuration file: what flags and the environment may leave out. The zero settings are those of none.
type settings struct {
	file   *yamldoc.File
	path   string // as it was found or named
	top    yamldoc.Map
	nats   yamldoc.Map
	serve  yamldoc.Value
	inputs yamldoc.Value
	notify yamldoc.Value
	from   map[string]string // where the flags of the command under way came from
}

// systemConfig is where a package puts the file.
const systemConfig = "/etc/serin/config.yaml"

// configPlaces are the files that are looked for where none is named; the first that is there counts, alone.
func configPlaces(env Env) []string {
	places := []string{"serin.yaml"}
	if dir := env.Getenv("XDG_CONFIG_HOME"); dir != "" {
		places = append(places, filepath.Join(dir, "serin", "config.yaml"))
	} else if home := cmp.Or(env.Getenv("HOME"), env.Getenv("USERPROFILE")); home != "" {
		places = append(places, filepath.Join(home, ".config", "serin", "config.yaml"))
	}
	return append(places, systemConfig)
}

// configure reads the file for commands that talk to a Serin, and fills in the flags that were not given. It comes
// before their work.
func configure(cmd *cobra.Command, env Env) error {
	if env.settings == nil || cmd.Flags().Lookup("nats") == nil {
		return nil
	}
	named, _ := cmd.Flags().GetString("config")
	s, err := readSettings(env, cmp.Or(named, env.Getenv("SERIN_CONFIG")))
	if err != nil {
		return exitError{code: exitUsage, err: err}
	}
	*env.settings = s
	if env.settings.from, err = fill(cmd.Flags(), cmd.Name() == "serve", env); err != nil {
		return exitError{code: exitUsage, err: err}
	}
	return nil
}

// readSettings reads the file that is named, or else the first one there is.
func readSettings(env Env, named string) (settings, error) {
	places := configPlaces(env)
	if named != "" {
		places = []string{named}
	}
	for _, path := range places {
		text, err := os.ReadFile(env.Path(path))
		switch {
		case err == nil:
			return parseSettings(path, text)
		case named != "" || !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrPermission):
			return settings{}, fmt.Errorf("read configuration: %w", err)
		}
	}
	return settings{}, nil
}

func parseSettings(path string, text []byte) (settings, error) {
	file, docs := yamldoc.Parse(path, text)
	s := settings{file: file, path: path}
	if len(docs) > 1 {
		docs[1].Errorf("keep one", "the file has two documents")
	}
	if len(docs) > 0 {
		s.top = docs[0].MapWith(map[string]string{"service": "this is the configuration of serin itself; put the policy into a folder, and name it by serve: {policies: [FOLDER]}"},
			"environment", "data", "nats", "serve", "inputs", "notify")
		s.nats = s.top.Get("nats").MapWith(map[string]string{"token": inFile, "password": inFile}, natsKeys...)
		s.serve, s.inputs, s.notify = s.top.Get("serve"), s.top.Get("inputs"), s.top.Get("notify")
	}
	return s, s.err()
}

// inFile is the cure for a secret that stands in the open.
const inFile = "a secret stands in a file of its own: write token_file or password_file"

var natsKeys = []string{"url", "context", "creds", "nkey", "user", "password_file", "token_file", "ca", "cert", "key", "inbox", "prefix"}

// err is what is wrong with the file, as far as it was read.
func (s settings) err() error {
	if s.file == nil {
		return nil
	}
	return s.file.Findings.Sorted().Err()
}

// at is a path of the file, seen from where the file is.
func (s settings) at(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(s.path), path)
}

// origin is where a value of the file stands.
func (s settings) origin(v yamldoc.Value) string { return fmt.Sprintf("%s:%d", s.path, v.Pos().Line) }

// access is what the file says of NATS.
func (s settings) access() (a natsAccess, context string) {
	text := func(key string) string {
		v, _ := s.nats.Get(key).String()
		return v
	}
	file := func(key string) string { return s.at(text(key)) }
	return natsAccess{url: text("url"), user: text("user"), passwordFile: file("password_file"), tokenFile: file("token_file"), creds: file("creds"),
		nkey: file("nkey"), ca: file("ca"), cert: file("cert"), key: file("key"), inbox: text("inbox")}, text("context")
}

// receivers are whom the file tells of events.
func (s settings) receivers() ([]notify.Receiver, error) {
	all := notify.ParseReceivers(s.notify)
	for i := range all {
		for _, file := range []*string{&all[i].TokenFile, &all[i].WebhookFile, &all[i].SecretFile, &all[i].TemplateFile} {
			*file = s.at(*file)
		}
	}
	return all, s.err()
}

// says is where the file names something of [natsAccess].
func (s settings) says(what string) string {
	for _, key := range []string{map[string]string{"nats": "url"}[what], what, what + "_file"} {
		if v := s.nats.Get(key); v.Exists() {
			return s.origin(v)
		}
	}
	return s.path
}

// isNATS reports whether a flag is one of natsFlags, which have their own order: who we are comes from one place.
func isNATS(name string) bool {
	switch name {
	case "nats", "context", "creds", "nkey", "user", "password-file", "token-file", "ca", "cert", "key", "inbox":
		return true
	}
	return false
}

// fill gives the flags that were not given the value of the environment (SERIN_ and the flag's name), or else of the
// file, and says where each came from.
func fill(flags *pflag.FlagSet, serving bool, env Env) (from map[string]string, err error) {
	s := *env.settings
	from = map[string]string{}
	var serve yamldoc.Map
	if serving {
		serve = s.serve.Map(serveKeys(flags)...)
	}
	flags.VisitAll(func(f *pflag.Flag) {
		v, shared := s.shared(f)
		switch {
		case f.Changed:
			from[f.Name] = "--" + f.Name
			return
		case isNATS(f.Name) || !serving && !shared:
			return
		case !shared:
			v = serve.Get(keyOf(f.Name))
		}
		if name := variable(f.Name); env.Getenv(name) != "" {
			from[f.Name] = name
			if wrong := flags.Set(f.Name, env.Getenv(name)); wrong != nil {
				err = errors.Join(err, fmt.Errorf("%s: %w", name, wrong))
			}
			return
		}
		if v.Exists() {
			from[f.Name] = s.origin(v)
			s.give(flags, f, v)
		}
	})
	return from, errors.Join(err, s.err())
}

// ownDefault marks a flag that means something else than the setting of its name.
const ownDefault = "own default"

// shared is the value of a setting that all commands have, and whether the flag is one.
func (s settings) shared(f *pflag.Flag) (yamldoc.Value, bool) {
	switch {
	case f.Name == "data":
		return s.top.Get("data"), true
	case f.Name == "prefix":
		return s.nats.Get("prefix"), true
	case f.Name == "env" && f.Value.Type() == "string":
		if _, own := f.Annotations[ownDefault]; own {
			return yamldoc.Value{}, false
		}
		return s.top.Get("environment"), true
	}
	return yamldoc.Value{}, false
}

// give sets a flag to what the file says.
func (s settings) give(flags *pflag.FlagSet, f *pflag.Flag, v yamldoc.Value) {
	items := []yamldoc.Value{v}
	list, several := f.Value.(pflag.SliceValue)
	if several && v.IsList() {
		items = v.List()
	}
	var texts []string
	for _, item := range items {
		text, ok := item.String()
		if !ok {
			return
		}
		if isPath(f.Name) {
			text = s.at(text)
		}
		texts = append(texts, text)
	}
	var wrong error
	if several {
		wrong = list.Replace(texts)
		f.Changed = true
	} else {
		wrong = flags.Set(f.Name, texts[0])
	}
	if wrong != nil {
		v.Errorf("see `serin serve --help`", "%s", wrong)
	}
}

// serveKeys are the keys of the section serve: the command's flags, with _ for -.
func serveKeys(flags *pflag.FlagSet) []string {
	var keys []string
	flags.VisitAll(func(f *pflag.Flag) {
		if _, shared := (settings{}).shared(f); !shared && !isNATS(f.Name) && f.Name != "help" && f.Name != "config" {
			keys = append(keys, keyOf(f.Name))
		}
	})
	return keys
}

func keyOf(flag string) string { return strings.ReplaceAll(flag, "-", "_") }

// variable is the environment variable of a flag.
func variable(flag string) string { return "SERIN_" + strings.ToUpper(keyOf(flag)) }

// isPath reports whether a flag's value is a path.
func isPath(flag string) bool {
	return flag == "data" || flag == "policies" || strings.HasSuffix(flag, "-file")
}
