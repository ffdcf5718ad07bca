//! Traces by OpenTelemetry, where the setting `traces` asks for them: the program's own spans, sent over HTTP.

use std::time::Duration;

use anyhow::Context;
use axum::http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::{OpenTelemetryLayer, OpenTelemetrySpanExt};
use tracing_subscriber::registry::LookupSpan;

/// How long a collector may take for one parcel of spans.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How long the last spans may take when the program ends.
const LAST: Duration = Duration::from_secs(3);

/// Sends spans until it is dropped; then what is left.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Drop for Traces {
    fn drop(&mut self) {
        // A collector that is away must not keep the program from ending.
        let _ = self.0.shutdown_with_timeout(LAST);
    }
}

/// Starts sending to the collector at this address. Must not be called inside the runtime: it has threads of its own.
pub(crate) fn start<S>(url: &str) -> anyhow::Result<(Traces, OpenTelemetryLayer<S, SdkTracer>)>
where
    S: tracing::Subscriber + for<'a> LookupSpan<'a>,
{
    // Whoever set another provider for this process has done what is needed.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{url}/v1/traces"))
        .with_timeout(TIMEOUT)
        .build()
        .with_context(|| format!("traces cannot be sent to `{url}`; check the setting `traces`"))?;
    let resource = Resource::builder()
        .with_service_name("rollbook")
        .with_attribute(opentelemetry::KeyValue::new(
            "service.version",
            env!("CARGO_PKG_VERSION"),
        ))
        .build();
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("rollbook"))
        .with_location(false)
        .with_threads(false);
    Ok((Traces(provider), layer))
}

/// Lets a span belong to the trace that its request came with, if it came with one.
pub(crate) fn join(span: &Span, headers: &HeaderMap) {
    if headers.contains_key("traceparent") {
        let context = TraceContextPropagator::new().extract(&Headers(headers));
        // Without the setting there is nothing to join.
        let _ = span.set_parent(context);
    }
}

struct Headers<'a>(&'a HeaderMap);

impl Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(axum::http::HeaderName::as_str).collect()
    }
}
