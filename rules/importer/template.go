package importer

import (
	"fmt"
	"regexp"
	texttemplate "text/template"
)

const renderFirst = "render it, and import what comes out"

// maxText bounds a label or annotation.
const maxText = 64 << 10

var (
	// escaped is how templates of Helm write the braces of another template.
	escaped = regexp.MustCompile("\\{\\{-?\\s*[\"'`]\\s*(\\{\\{|\\}\\})|\\{\\{-?\\s*(printf|print)\\s+[\"'`]\\s*\\{\\{")
	helm    = regexp.MustCompile(`\{\{[^}]*(\.Values\b|\.Release\b|\.Chart\b|\.Capabilities\b|\.Files\b|\binclude\s+"|\btoYaml\b|\btpl\s)`)
	jinja   = regexp.MustCompile(`\{%-?\s*(raw|endraw|if|endif|for|endfor|set|else|elif)\b`)
	// usesValue is a template that the value of the answer goes into, or the time, or another answer.
	usesValue = regexp.MustCompile(`\{\{[^}]*(\$value\b|\.Value\b|\bquery\b|\bnow\b|\{\{-?\s*\.\s*-?\}\})|\{\{-?\s*\.\s*-?\}\}`)
)

// foreignTemplate names the tool whose template a text is.
func foreignTemplate(text string) (tool string, ok bool) {
	switch {
	case escaped.MatchString(text), helm.MatchString(text):
		return "Helm", true
	case jinja.MatchString(text):
		return "Ansible", true
	}
	return "", false
}

// functions are those that Prometheus' templates may call. Only their names count here.
var functions = func() texttemplate.FuncMap {
	out := texttemplate.FuncMap{}
	for _, name := range []string{
		"query", "first", "label", "value", "strvalue", "args", "reReplaceAll", "safeHtml", "match", "title", "toUpper", "toLower",
		"graphLink", "tableLink", "sortByLabel", "stripPort", "stripDomain", "humanize", "humanize1024", "humanizeDuration",
		"humanizePercentage", "humanizeTimestamp", "toTime", "toDuration", "now", "pathPrefix", "externalURL", "parseDuration", "urlQueryEscape",
	} {
		out[name] = func(...any) string { return "" }
	}
	return out
}()

// variables are what Prometheus puts before each template.
const variables = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"

// template refuses a label or annotation that Prometheus could not render.
func template(kind string, p pair) refusal {
	if len(p.value) > maxText {
		return refusal{fmt.Sprintf("%s %q is longer than %d bytes", kind, p.key, maxText), "shorten it"}
	}
	if tool, ok := foreignTemplate(p.value); ok {
		return refusal{fmt.Sprintf("%s %q is a template of %s", kind, p.key, tool), renderFirst}
	}
	if _, err := texttemplate.New(p.key).Funcs(functions).Parse(variables + p.value); err != nil {
		return refusal{fmt.Sprintf("%s %q is no template that Prometheus could read: %v", kind, p.key, err), "see the braces, and the names of functions"}
	}
	return refusal{}
}
