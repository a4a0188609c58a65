package deployments_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/deployments"
)

// A rule whose total does not tell the versions apart counts everybody's requests: no rate follows from them.
func TestOnlyRulesThatTellTheVersionsApartCountRequests(t *testing.T) {
	const head = "service: checkout\ndiluted: true\nready: none\nrules:\n" +
		"  - {name: all, bad: 'bad{}', total: 'all{}', max: 5%}\n" +
		"  - {name: version, bad: 'bad{version=\"{{version}}\"}', total: 'all{version=\"{{version}}\"}', max: 5%}\n" +
		"  - {name: variant, bad: 'bad{v=\"{{variant}}\"}', total: 'all{v=\"{{variant}}\"}', max: 5%}\n" +
		"  - {name: value, query: 'up{version=\"{{version}}\"}', min: 1}\n"
	for traffic, want := range map[string]*deployments.Accounts{
		"traffic: {version_flag: k}":                                  {Counts: []string{"version", "variant"}},
		"traffic: {flag: k}\nvalue_per_request: 1 EUR":                {Counts: []string{"variant"}, Value: &deployments.Money{Amount: 1, Currency: "EUR"}},
		"traffic: {version_flag: k}\nvalue_per_request: \"2.5  USD\"": {Counts: []string{"version", "variant"}, Value: &deployments.Money{Amount: 2.5, Currency: "USD"}},
	} {
		text := head + traffic + "\n"
		if strings.Contains(traffic, "version_flag") {
			text = strings.Replace(text, "diluted: true\n", "", 1)
		}
		ps, findings := deployments.ParsePolicies("p.yaml", []byte(text))
		if err := findings.Err(); err != nil {
			t.Fatal(err)
		}
		s, err := deployments.State{}.Take(deployments.Release{Slot: slot, ID: "1", Version: "1.1.0"}, deployments.Accepted, ps[0], noon)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, s.Accounts); diff != "" {
			t.Errorf("%s: want -, got +:\n%s", traffic, diff)
		}
	}
}

func TestARuleThatCountsEverybodyGivesNoRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.policy = strings.ReplaceAll(w.policy, `,version="{{version}}"`, "") + "ready: none\n"
		w.verdict = countsAt(2500, 100, 20)
		w.release("1.1.0")
		w.run("one", time.Hour)
		if s := w.summarized("1.1.0"); s.Fault == nil || s.Fault.Counts != nil {
			t.Errorf("%+v", s.Fault)
		}
	})
}

func TestAValueThatNoRuleCanUseIsWarnedOf(t *testing.T) {
	const policy = "service: checkout\nready: none\ntraffic: {version_flag: k}\nvalue_per_request: 1 EUR\nrules: [{name: a, RULE}]\n"
	for rule, want := range map[string]int{
		`query: 'up{version="{{version}}"}', min: 1`:                                  1,
		`bad: 'b{version="{{version}}"}', total: 'a{version="{{version}}"}', max: 5%`: 0,
	} {
		_, findings := deployments.ParsePolicies("p.yaml", []byte(strings.Replace(policy, "RULE", rule, 1)))
		warned := 0
		for _, f := range findings {
			if strings.Contains(f.Message, "no loss will be known") {
				warned++
			}
		}
		if err := findings.Err(); err != nil || warned != want {
			t.Errorf("%s: %d warnings, want %d: %v", rule, warned, want, findings)
		}
	}
}
