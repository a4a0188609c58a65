package jetstream

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// InputFormat says what the messages of an input are.
type InputFormat string

// The formats.
const (
	AutoFormat     InputFormat = "auto"     // a CloudEvent is opened, a CDEvent is read as one, everything else is JSON
	JSONFormat     InputFormat = "json"     // the body as it stands, the envelope of a structured CloudEvent included
	CDEventsFormat InputFormat = "cdevents" // CDEvents, by themselves or in a CloudEvent
)

// Input is a subject that is there already, and how its messages become releases.
type Input struct {
	Name     string
	Subject  string // may have wildcards
	Stream   string // that keeps it; "": the one that has the subject, or else one that is made
	Format   InputFormat
	Map      map[string]string   // where a release's fields are: .path.in.the.body, subject.<token> or header:<name>
	Defaults map[string]string   // what a field is that the message does not have
	Only     map[string][]string // what a message must say to be a release, by where it says so
}

// inputFields are those of a release that an input can fill.
var inputFields = []string{"service", "environment", "version", "id", "artifact", "commit", "ref", "author", "run_url", "change_url"}

var (
	inputName  = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)
	streamName = regexp.MustCompile(`^[^\s.*>/\\]{1,255}$`)
	pathForm   = regexp.MustCompile(`^((\.[^.\s\[\]"']+)+|subject\.[1-9]\d?|header:[!-9;-~]+)$`)
)

const pathCure = "write a path into the body such as .git.sha, a token of the subject such as subject.3, or a header such as header:X-Commit; a constant goes into defaults"

// ParseInputs reads the section `inputs:` of a configuration. Everything wrong becomes a finding.
func ParseInputs(v yamldoc.Value) []Input {
	var all []Input
	for _, item := range v.List() {
		i := parseInput(item)
		if slices.ContainsFunc(all, func(o Input) bool { return o.Name == i.Name && i.Name != "" }) {
			item.Map(inputKeys...).Get("name").Errorf("give each input a name of its own: its place in the stream is kept under it", "another input is named %q", i.Name)
			continue
		}
		all = append(all, i)
	}
	return all
}

var inputKeys = []string{"name", "subject", "stream", "format", "map", "defaults", "only"}

func parseInput(v yamldoc.Value) Input {
	i := Input{Format: AutoFormat}
	m := v.Map(inputKeys...)
	if !m.IsMap() {
		return i
	}
	for _, key := range []string{"name", "subject"} {
		if !m.Has(key) && !m.Strange() {
			m.Errorf("add `"+key+":`", "an input needs a %s", key)
		}
	}
	var ok bool
	if i.Name, ok = m.Get("name").String(); ok && !inputName.MatchString(i.Name) {
		m.Get("name").Errorf("write 1 to 32 of a-z, 0-9 and -, beginning with a letter", "%q is no name", i.Name)
	}
	if i.Subject, ok = m.Get("subject").String(); ok {
		checkInputSubject(m.Get("subject"), i.Subject)
	}
	if i.Stream, ok = m.Get("stream").String(); ok && !streamName.MatchString(i.Stream) {
		m.Get("stream").Errorf("write the name that `nats stream ls` shows", "%q is no name of a stream", i.Stream)
	}
	if format, ok := m.Get("format").Word(string(AutoFormat), string(JSONFormat), string(CDEventsFormat)); ok {
		i.Format = InputFormat(format)
	}
	i.Map, i.Defaults, i.Only = i.parseMap(m.Get("map")), parseDefaults(m.Get("defaults")), i.parseOnly(m.Get("only"))
	if !m.Strange() {
		i.checkFilled(m)
	}
	return i
}

// checkInputSubject refuses what no message is published on, and loops: Serin publishes releases itself.
func checkInputSubject(v yamldoc.Value, subject string) {
	const cure = "write the subject of your own messages, such as ci.deploys.>"
	switch {
	case !subjectPattern(subject):
		v.Errorf(cure, "%q is no subject", subject)
	case strings.HasPrefix(subject, "$"), strings.HasPrefix(subject, "_"):
		v.Errorf(cure, "%q is a subject of the server's own", subject)
	case collide(subject, Names{}.Subject(">")):
		v.Errorf(cure+"; releases on "+Names{}.Subject("release.<environment>.<service>")+" need no input", "%q has subjects of Serin's own: what it publishes would come in again", subject)
	}
}

// parseMap reads where each field is.
func (i Input) parseMap(v yamldoc.Value) map[string]string {
	out := map[string]string{}
	m := v.Map(inputFields...)
	for _, name := range inputFields {
		if path, ok := m.Get(name).String(); ok {
			i.checkPath(m.Get(name), path)
			out[name] = path
		}
	}
	return out
}

// checkPath refuses a path that leads nowhere.
func (i Input) checkPath(v yamldoc.Value, path string) {
	if !pathForm.MatchString(path) {
		v.Errorf(pathCure, "%q is no path", path)
		return
	}
	token, ok := strings.CutPrefix(path, "subject.")
	if n, _ := strconv.Atoi(token); ok && !strings.HasSuffix(i.Subject, ">") && n > strings.Count(i.Subject, ".")+1 {
		v.Errorf("count from 1", "%q has no token %d", i.Subject, n)
	}
}

func parseDefaults(v yamldoc.Value) map[string]string {
	out := map[string]string{}
	known := slices.DeleteFunc(slices.Clone(inputFields), func(name string) bool { return name == "id" })
	m := v.MapWith(map[string]string{"id": "map it, or leave it out: one id for all would make them one release"}, known...)
	for _, name := range known {
		if text, ok := m.Get(name).String(); ok {
			out[name] = text
		}
	}
	return out
}

// parseOnly reads what a message must say: one value, or any of a list.
func (i Input) parseOnly(v yamldoc.Value) map[string][]string {
	out := map[string][]string{}
	paths := v.Keys()
	m := v.Map(paths...)
	for _, path := range paths {
		if !pathForm.MatchString(path) {
			m.Key(path).Errorf(pathCure, "%q is no path", path)
			continue
		}
		i.checkPath(m.Key(path), path)
		values := []yamldoc.Value{m.Get(path)}
		if values[0].IsList() {
			values = values[0].List()
		}
		for _, value := range values {
			if text, ok := value.String(); ok {
				out[path] = append(out[path], text)
			}
		}
	}
	return out
}

// checkFilled finds what no message could fill. Where nothing is mapped, JSON has the fields under their own names.
func (i Input) checkFilled(m yamldoc.Map) {
	if i.Format != JSONFormat || len(i.Map) == 0 {
		return
	}
	for _, name := range []string{"service", "environment", "version"} {
		_, constant := i.Defaults[name]
		if _, mapped := i.Map[name]; !mapped && !constant && !m.Get("map").Map(inputFields...).Strange() {
			m.Get("map").Errorf("say where it is, or put a constant into defaults", "says of no %s", name)
		}
	}
}

// subjectPattern reports whether a subject, with wildcards or without, is one.
func subjectPattern(s string) bool {
	tokens := strings.Split(s, ".")
	for n, token := range tokens {
		switch {
		case token == "*", token == ">" && n == len(tokens)-1:
		case token == "", strings.ContainsAny(token, " \t\r\n*>"):
			return false
		}
	}
	return true
}

// collide reports whether one message could be on both subjects.
func collide(a, b string) bool {
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for n := 0; n < len(x) && n < len(y); n++ {
		switch {
		case x[n] == ">", y[n] == ">":
			return true
		case x[n] != y[n] && x[n] != "*" && y[n] != "*":
			return false
		}
	}
	return len(x) == len(y)
}

// covers reports whether every message on the narrow subject is on the wide one.
func covers(wide, narrow string) bool {
	x, y := strings.Split(wide, "."), strings.Split(narrow, ".")
	for n, token := range x {
		switch {
		case n >= len(y):
			return false
		case token == ">":
			return true
		case y[n] == ">", token != "*" && token != y[n]:
			return false
		}
	}
	return len(x) == len(y)
}

// String is the input for people.
func (i Input) String() string { return "input " + i.Name + " (" + i.Subject + ")" }

// paths are those of a map in the order of their names.
func paths[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
