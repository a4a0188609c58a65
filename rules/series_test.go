package rules_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-cd/serin/rules"
)

func TestSeriesOfAVersionAreLookedForWhereRulesNameIt(t *testing.T) {
	ratio := func(total string) rules.Rule { return rules.Rule{Total: rules.MustCompile(total)} }
	value := func(query string) rules.Rule { return rules.Rule{Query: rules.MustCompile(query)} }
	for name, c := range map[string]struct {
		set  rules.Set
		want []string
	}{
		"no rule names it": {rules.Set{ratio(`sum(increase(http_requests_total{service="{{service}}"}[{{window}}]))`)}, nil},
		"a total": {
			rules.Set{ratio(`sum(increase(http_requests_total{service="{{service}}",version="{{version}}",code!="404"}[{{window}}]))`)},
			[]string{`count(http_requests_total{service="shop",version="1.4.2",code!="404"}) or count({service="shop",version="1.4.2"})`},
		},
		"the same labels once": {
			rules.Set{ratio(`sum(rate(a{version="{{version}}"}[1m]))`), value(`histogram_quantile(0.9, sum by (le) (rate(b{le!="",version="{{version}}"}[5m])))`)},
			[]string{`count(a{version="1.4.2"}) or count({version="1.4.2"})`},
		},
		"other labels too": {
			rules.Set{value(`a{version="{{version}}"} / b{app="{{service}}-{{version}}"}`)},
			[]string{`count(a{version="1.4.2"}) or count({version="1.4.2"})`, `count(b{app="shop-1.4.2"}) or count({app="shop-1.4.2"})`},
		},
		"a regular expression": {
			rules.Set{value(`up{image=~".*:(?:{{version}})"}`)},
			[]string{`count(up{image=~".*:(?:1\\.4\\.2)"}) or count({image=~".*:(?:1\\.4\\.2)"})`},
		},
		"all but the release are not the release": {rules.Set{value(`a{version!="{{version}}"}`)}, nil},
		"stable alone is not the release":         {rules.Set{value(`a{version="{{stable_version}}"}`)}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, q := range c.set.Series() {
				text, err := q.Render(rules.Vars{Service: "shop", Version: "1.4.2"})
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
