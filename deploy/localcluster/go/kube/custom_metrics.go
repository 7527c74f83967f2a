package main

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apimeta "k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/metrics/pkg/apis/custom_metrics"
	"k8s.io/metrics/pkg/apis/external_metrics"
	adapter "sigs.k8s.io/custom-metrics-apiserver/pkg/cmd"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider"
	"sigs.k8s.io/custom-metrics-apiserver/pkg/provider/helpers"
)

// rulesName is the ConfigMap, in the namespace that asks, which says by which query each metric is answered.
const rulesName = "custom-metrics"

// customMetrics answers custom.metrics.k8s.io (of pods and of other objects) and external.metrics.k8s.io from
// Prometheus. A metric without a query of its own is the sum of the series of its name.
type customMetrics struct {
	adapter    *adapter.AdapterBase
	prometheus prometheus
	client     kubernetes.Interface
	dynamic    dynamic.Interface
	mapper     apimeta.RESTMapper
}

func newCustomMetricsCommand() *cobra.Command {
	c := &customMetrics{
		adapter:    &adapter.AdapterBase{Name: "custom-metrics", DiscoveryInterval: time.Minute},
		prometheus: prometheus{client: http.Client{Timeout: 5 * time.Second}},
	}
	cmd := &cobra.Command{Use: "custom-metrics", SilenceUsage: true, RunE: func(cmd *cobra.Command, _ []string) error {
		return c.run(cmd.Context())
	}}
	c.adapter.FlagSet = cmd.Flags()
	c.adapter.InstallFlags()
	cmd.Flags().StringVar(&c.prometheus.url, "prometheus", "", "the URL of the Prometheus that is asked")
	return cmd
}

func (c *customMetrics) run(ctx context.Context) error {
	config, err := c.adapter.ClientConfig()
	if err != nil {
		return err
	}
	if c.client, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if c.dynamic, err = c.adapter.DynamicClient(); err != nil {
		return err
	}
	if c.mapper, err = c.adapter.RESTMapper(); err != nil {
		return err
	}
	c.adapter.WithCustomMetrics(c)
	c.adapter.WithExternalMetrics(c)
	return c.adapter.Run(ctx)
}

// ListAllMetrics names none: which there are is only known when one is asked for.
func (c *customMetrics) ListAllMetrics() []provider.CustomMetricInfo { return nil }

// ListAllExternalMetrics names none either.
func (c *customMetrics) ListAllExternalMetrics() []provider.ExternalMetricInfo { return nil }

func (c *customMetrics) GetExternalMetric(
	ctx context.Context, namespace string, selector labels.Selector, info provider.ExternalMetricInfo,
) (*external_metrics.ExternalMetricValueList, error) {
	found, err := c.ask(ctx, query{Metric: info.Metric, Namespace: namespace, selector: selector})
	if err != nil {
		return nil, err
	}
	list := &external_metrics.ExternalMetricValueList{}
	for _, one := range found {
		list.Items = append(list.Items, external_metrics.ExternalMetricValue{
			MetricName: info.Metric, MetricLabels: one.labels, Timestamp: metav1.NewTime(one.time), Value: one.value,
		})
	}
	return list, nil
}

func (c *customMetrics) GetMetricByName(
	ctx context.Context, name types.NamespacedName, info provider.CustomMetricInfo, selector labels.Selector,
) (*custom_metrics.MetricValue, error) {
	asked := query{Metric: info.Metric, Namespace: name.Namespace, Name: name.Name, selector: selector}
	if info.GroupResource.Resource == "pods" {
		asked.pods = []string{name.Name}
	}
	found, err := c.ask(ctx, asked)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, provider.NewMetricNotFoundForError(info.GroupResource, info.Metric, name.Name)
	}
	return c.valueOf(name, info, found[0])
}

// GetMetricBySelector leaves out the pods that have no value, as an autoscaler expects.
func (c *customMetrics) GetMetricBySelector(
	ctx context.Context, namespace string, selector labels.Selector, info provider.CustomMetricInfo, metric labels.Selector,
) (*custom_metrics.MetricValueList, error) {
	if info.GroupResource.Resource != "pods" {
		return nil, apierrors.NewBadRequest("only pods can be asked for by their labels, name the " + info.GroupResource.Resource)
	}
	pods, err := helpers.ListObjectNames(c.mapper, c.dynamic, namespace, selector, info)
	if err != nil {
		return nil, err
	}
	found, err := c.ask(ctx, query{Metric: info.Metric, Namespace: namespace, selector: metric, pods: pods})
	if err != nil {
		return nil, err
	}
	list := &custom_metrics.MetricValueList{}
	for _, one := range found {
		pod := one.labels["pod"]
		if !slices.Contains(pods, pod) {
			continue
		}
		value, err := c.valueOf(types.NamespacedName{Namespace: namespace, Name: pod}, info, one)
		if err != nil {
			return nil, err
		}
		list.Items = append(list.Items, *value)
	}
	return list, nil
}

func (c *customMetrics) valueOf(
	name types.NamespacedName, info provider.CustomMetricInfo, found reading,
) (*custom_metrics.MetricValue, error) {
	object, err := helpers.ReferenceFor(c.mapper, name, info)
	if err != nil {
		return nil, err
	}
	return &custom_metrics.MetricValue{
		DescribedObject: object, Metric: custom_metrics.MetricIdentifier{Name: info.Metric},
		Timestamp: metav1.NewTime(found.time), Value: found.value,
	}, nil
}

func (c *customMetrics) ask(ctx context.Context, asked query) ([]reading, error) {
	rules, err := c.client.CoreV1().ConfigMaps(asked.Namespace).Get(ctx, rulesName, metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, err
	}
	promql, err := asked.promql(rules.Data[asked.Metric])
	if err != nil {
		return nil, apierrors.NewBadRequest(fmt.Sprintf("ConfigMap %s, query of %s: %s", rulesName, asked.Metric, err))
	}
	return c.prometheus.query(ctx, promql)
}

// query is what somebody asks for; its exported parts are there for the templates of ConfigMaps, whose words are
// prometheus-adapter's.
type query struct {
	Metric, Namespace, Name string
	selector                labels.Selector
	pods                    []string
}

func (q query) promql(rule string) (string, error) {
	if rule == "" {
		rule = "sum(<<.Metric>>{<<.LabelMatchers>>}) by (<<.GroupBy>>)"
	}
	parsed, err := template.New("").Delims("<<", ">>").Parse(rule)
	if err != nil {
		return "", err
	}
	text := strings.Builder{}
	err = parsed.Execute(&text, q)
	return text.String(), err
}

// GroupBy is the label that tells what is described; nothing where all series make one value.
func (q query) GroupBy() string {
	if q.pods == nil {
		return ""
	}
	return "pod"
}

func (q query) LabelMatchers() string {
	matchers := []string{matcher("namespace", "=", q.Namespace)}
	if q.pods != nil {
		matchers = append(matchers, oneOf("pod", "=~", q.pods))
	}
	requirements, _ := q.selector.Requirements()
	for _, one := range requirements {
		matchers = append(matchers, required(one))
	}
	return strings.Join(matchers, ",")
}

func required(one labels.Requirement) string {
	label := safeName(one.Key())
	switch one.Operator() {
	case selection.Exists:
		return matcher(label, "!=", "")
	case selection.DoesNotExist:
		return matcher(label, "=", "")
	case selection.NotEquals, selection.NotIn:
		return oneOf(label, "!~", one.Values().UnsortedList())
	default:
		return oneOf(label, "=~", one.Values().UnsortedList())
	}
}

func oneOf(label, operator string, values []string) string {
	quoted := make([]string, len(values))
	for i, value := range values {
		quoted[i] = regexp.QuoteMeta(value)
	}
	slices.Sort(quoted)
	return matcher(label, operator, strings.Join(quoted, "|"))
}

func matcher(label, operator, value string) string {
	return label + operator + strconv.Quote(value)
}
