package survey

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// What people and libraries call things, the usual name first.
var (
	serviceLabels = []string{"service", "service_name", "app", "app_kubernetes_io_name", "application", "exported_service", "exported_job",
		"job", "container", "name", "upstream", "proxy", "backend", "grpc_service"}
	versionLabels = []string{"version", "release", "app_version", "service_version", "application_version", "app_kubernetes_io_version",
		"image_tag", "tag", "build", "build_version", "revision", "commit", "git_commit", "sha", "deployment_version"}
	statusLabels = []string{"code", "status", "status_code", "http_status_code", "http_response_status_code", "response_code",
		"http_status", "grpc_code", "rpc_grpc_status_code", "grpc_status", "status_class"}
	requestCounters = []string{"http_requests_total", "http_server_requests_total", "http_server_request_duration_seconds_count",
		"http_server_requests_seconds_count", "http_request_duration_seconds_count", "http_server_duration_milliseconds_count",
		"grpc_server_handled_total", "rpc_server_duration_milliseconds_count", "istio_requests_total",
		"nginx_vts_upstream_requests_total", "haproxy_backend_http_responses_total"}
)

var (
	likeRequests = regexp.MustCompile(`(requests?_total|responses_total|requests|(request|http|rpc|server)\w*_(duration|latency|time|requests)\w*_count)$`)
	likeTimes    = regexp.MustCompile(`(duration|latency|handling|response_time|request_time|requests)_(seconds|milliseconds)$`)
	ofOthers     = regexp.MustCompile(`^(promhttp|prometheus|alertmanager|grafana|go|scrape|net_conntrack|apiserver|etcd|kubelet|node)_|_client_|_created$|in_?flight|_(active|current|pending|concurrent|queued)_`)
)

// mostCandidates bounds how many metrics of one kind are looked at.
const mostCandidates = 20

// Counters are the metrics among names that look like counters of requests, the most usual first.
func Counters(names []string) []string {
	return candidates(names, func(name string) bool {
		return slices.Contains(requestCounters, name) || likeRequests.MatchString(name)
	})
}

// Histograms are the metrics among names that look like histograms of the time of requests, without the _bucket of
// classic ones: those of the counter itself first.
func Histograms(names []string, counter string) []string {
	var bases []string
	for _, name := range names {
		base := strings.TrimSuffix(name, "_bucket")
		if likeTimes.MatchString(base) && !slices.Contains(bases, base) {
			bases = append(bases, base)
		}
	}
	out := candidates(bases, func(string) bool { return true })
	own := strings.TrimSuffix(strings.TrimSuffix(counter, "_count"), "_handled_total")
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Compare(likeness(b, own), likeness(a, own)) })
	return out
}

// likeness is how much of its beginning a name has in common with another.
func likeness(name, other string) int {
	n := 0
	for n < len(name) && n < len(other) && name[n] == other[n] {
		n++
	}
	return n
}

func candidates(names []string, like func(string) bool) []string {
	var out []string
	for _, name := range names {
		if like(name) && !ofOthers.MatchString(name) && plainName.MatchString(name) {
			out = append(out, name)
		}
	}
	rank := func(name string) int {
		if i := slices.IndexFunc(requestCounters, func(known string) bool { return strings.HasPrefix(known, name) }); i >= 0 {
			return i
		}
		return len(requestCounters)
	}
	slices.SortStableFunc(out, func(a, b string) int { return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b)) })
	return out[:min(len(out), mostCandidates)]
}

// Rows is a query for the labels by which [Understand] tells the series of a selector apart, with their number.
func Rows(selector string) string {
	return CountBy(selector, slices.Concat(serviceLabels, versionLabels, statusLabels)...)
}

// Series are the series of a metric that are of one service.
type Series struct {
	Metric   string
	Service  string   // the matcher of the service, with {{service}}
	Version  string   // the matcher of the version, with {{version}}; "" where no label tells versions apart
	Versions []string // that are there
	Bad      string   // the matcher of failed requests; "" where no label tells them apart
	codes    codes
}

// Understand finds the labels that name the service, the version and the status of a metric's series. It is false when no
// series is of the service.
func Understand(service, metric string, rows []map[string]string) (Series, bool) {
	for _, label := range serviceLabels {
		form, versions := serviceForm(service, label, rows)
		if form == "" {
			continue
		}
		s := Series{Metric: metric, Service: label + `="` + form + `"`}
		var own []map[string]string
		for _, row := range rows {
			if len(versions) > 0 && strings.HasPrefix(row[label], service+"-") || matchesForm(form, service, row[label]) {
				own = append(own, row)
			}
		}
		if len(versions) > 0 {
			s.Version, s.Versions = s.Service, versions
		} else {
			s.version(label, own)
		}
		s.status(own)
		return s, true
	}
	return Series{}, false
}

// serviceForm is how a label names the service: by itself, behind a namespace as in shop/checkout, or before its version
// as in checkout-1.4.2.
func serviceForm(service, label string, rows []map[string]string) (form string, versions []string) {
	for _, row := range rows {
		if row[label] == service {
			return "{{service}}", nil
		}
	}
	for _, row := range rows {
		if before, ok := strings.CutSuffix(row[label], "/"+service); ok && !strings.ContainsAny(before, "\"\\") {
			return before + "/{{service}}", nil
		}
		if version, ok := strings.CutPrefix(row[label], service+"-"); ok && (label == "upstream" || label == "proxy" || label == "backend") && !slices.Contains(versions, version) {
			versions = append(versions, version)
		}
	}
	if len(versions) > 0 {
		slices.Sort(versions)
		return "{{service}}-{{version}}", versions
	}
	return "", nil
}

func matchesForm(form, service, value string) bool {
	return strings.ReplaceAll(form, "{{service}}", service) == value
}

// version finds the label of the version: the first with two values or more, else the first that is there at all.
func (s *Series) version(service string, rows []map[string]string) {
	for _, atLeast := range []int{2, 1} {
		for _, label := range versionLabels {
			values := distinct(rows, label)
			if len(values) >= atLeast && label != service {
				s.Version, s.Versions = label+`="{{version}}"`, values
				return
			}
		}
	}
}

// distinct lists the values of a label, but for versions of HTTP.
func distinct(rows []map[string]string, label string) []string {
	var out []string
	for _, row := range rows {
		if v := row[label]; v != "" && !strings.HasPrefix(v, "HTTP/") && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	slices.Sort(out)
	return out
}

// codes is a way to write the status of a request.
type codes struct {
	form *regexp.Regexp
	bad  string // the matcher's operator and value
	name string
}

var ways = []codes{
	{regexp.MustCompile(`^[1-5]\d\d$`), `=~"5.."`, "5xx"},
	{regexp.MustCompile(`^[1-5](xx|XX)$`), `=~"5(xx|XX)"`, "5xx"},
	{regexp.MustCompile(`^(OK|Canceled|Unknown|InvalidArgument|NotFound|Internal|Unavailable|DeadlineExceeded|PermissionDenied|Unauthenticated)$`),
		`=~"Unknown|DeadlineExceeded|Unimplemented|Internal|Unavailable|DataLoss"`, "failed by the server's fault"},
	{regexp.MustCompile(`^(0|1?\d)$`), `=~"2|4|12|13|14|15"`, "failed by the server's fault"},
}

// status finds the label that tells failed requests from others, by the form of its values.
func (s *Series) status(rows []map[string]string) {
	for _, label := range statusLabels {
		for _, value := range distinct(rows, label) {
			for _, way := range ways {
				if way.form.MatchString(value) {
					s.Bad, s.codes = label+way.bad, way
					return
				}
			}
		}
	}
}

// Selector selects the series: those of any version with "", and with more matchers.
func (s Series) Selector(version string, more ...string) string {
	matchers := []string{s.Service}
	switch {
	case version == "" && s.Version == s.Service:
		label, _, _ := strings.Cut(s.Service, "=")
		matchers = []string{label + `=~"{{service}}-.+"`}
	case version == "": // of any version
	case s.Version == "":
		matchers = append(matchers, `version="{{version}}"`)
	case s.Version != s.Service:
		matchers = append(matchers, s.Version)
	}
	return s.Metric + "{" + strings.Join(append(matchers, more...), ",") + "}"
}

// Best puts the series that say the most first: with a version, with a status, then in the order given.
func Best(all []Series) []Series {
	out := slices.Clone(all)
	worth := func(s Series) int {
		n := 0
		if s.Version != "" {
			n += 2
		}
		if s.Bad != "" {
			n += 3 // a rate of errors without a version can be told of; a version without errors is no rule
		}
		return n
	}
	slices.SortStableFunc(out, func(a, b Series) int { return cmp.Compare(worth(b), worth(a)) })
	return out
}
