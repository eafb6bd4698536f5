//! S3's objects, in memory: buckets with and without versions, reads under conditions, and the refusals that
//! depend on region, owner and rights. What it does not know it refuses.

mod bucket;
mod errors;
mod objects;
mod reply;
mod request;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use self::bucket::{Bucket, Versioning};
use self::errors::Refused;
pub(crate) use self::reply::Reply;
pub(crate) use self::request::Request;
use super::clock::Clock;
use super::http::ServiceError;
use super::lock;
use super::sqs::ACCOUNT;

/// The region of buckets that tests put in place.
const HOME: &str = "us-east-1";

/// A local S3, in all regions.
pub struct S3 {
    clock: Arc<Clock>,
    buckets: Mutex<BTreeMap<String, Bucket>>,
    unchanged: AtomicU64,
}

impl S3 {
    /// No buckets yet.
    pub fn new(clock: Arc<Clock>) -> Self {
        Self {
            clock,
            buckets: Mutex::default(),
            unchanged: AtomicU64::default(),
        }
    }

    /// Makes a bucket in a region.
    ///
    /// # Errors
    ///
    /// If the name cannot be one, or is taken.
    pub fn create(&self, bucket: &str, region: &str) -> Result<(), ServiceError> {
        errors::check_bucket_name(bucket)?;
        let mut buckets = self.lock();
        if let Some(taken) = buckets.get(bucket) {
            return Err(errors::taken(taken).error);
        }
        buckets.insert(bucket.to_owned(), Bucket::new(bucket, region));
        Ok(())
    }

    /// Puts an object on top of whatever is there; the bucket comes to be where it is missing. Gives the
    /// `ETag`, without its quotes.
    ///
    /// # Errors
    ///
    /// If the bucket's name cannot be one.
    pub fn put(&self, bucket: &str, key: &str, content: &[u8]) -> Result<String, ServiceError> {
        errors::check_bucket_name(bucket)?;
        let now = self.clock.now_millis();
        let mut buckets = self.lock();
        let bucket = buckets
            .entry(bucket.to_owned())
            .or_insert_with(|| Bucket::new(bucket, HOME));
        let object = bucket::Object::new(content.to_vec(), now);
        let etag = object.etag.clone();
        bucket.put(key, object);
        Ok(etag)
    }

    /// Deletes an object, as the operation does it.
    ///
    /// # Errors
    ///
    /// If there is no such bucket.
    pub fn delete(&self, bucket: &str, key: &str) -> Result<(), ServiceError> {
        let now = self.clock.now_millis();
        self.with(bucket, |bucket| {
            bucket.delete(key, now);
        })
    }

    /// Whether a bucket keeps versions from now on.
    ///
    /// # Errors
    ///
    /// If there is no such bucket.
    pub fn keep_versions(&self, bucket: &str, keep: bool) -> Result<(), ServiceError> {
        let versioning = if keep {
            Versioning::Enabled
        } else {
            Versioning::Suspended
        };
        self.with(bucket, |bucket| bucket.versioning = Some(versioning))
    }

    /// Gives a bucket to another account, whose policy admits nobody.
    ///
    /// # Errors
    ///
    /// If there is no such bucket.
    pub fn give_away(&self, bucket: &str) -> Result<(), ServiceError> {
        self.with(bucket, |bucket| {
            "111111111111".clone_into(&mut bucket.owner);
            bucket.admits_us = false;
        })
    }

    /// From now on the policy of a bucket of another account's admits this one.
    ///
    /// # Errors
    ///
    /// If there is no such bucket.
    pub fn admit(&self, bucket: &str) -> Result<(), ServiceError> {
        self.with(bucket, |bucket| bucket.admits_us = true)
    }

    /// Takes the right to list from everybody: whether an object is there is then nobody's to know.
    ///
    /// # Errors
    ///
    /// If there is no such bucket.
    pub fn forbid_listing(&self, bucket: &str) -> Result<(), ServiceError> {
        self.with(bucket, |bucket| bucket.may_list = false)
    }

    /// How often the answer was that an object is the one that the caller knows.
    pub fn unchanged(&self) -> u64 {
        self.unchanged.load(Ordering::Relaxed)
    }

    /// Forgets every bucket.
    pub fn reset(&self) {
        self.lock().clear();
        self.unchanged.store(0, Ordering::Relaxed);
    }

    /// Answers one request.
    pub(crate) fn call(&self, request: &Request) -> Reply {
        let answer = match request.operation {
            request::UNKNOWN => Err(errors::not_implemented()),
            "CreateBucket" => self.create_bucket(request),
            operation => self.on_bucket(operation, request),
        };
        let reply = answer.unwrap_or_else(|refused| Reply::refused(&refused));
        let unchanged = u64::from(reply.is_unchanged());
        self.unchanged.fetch_add(unchanged, Ordering::Relaxed);
        reply
    }

    fn create_bucket(&self, request: &Request) -> Result<Reply, Refused> {
        let name = &request.bucket;
        errors::check_bucket_name(name)?;
        let asked = request.element("LocationConstraint");
        let region = match asked.as_deref() {
            None if request.region == HOME => HOME.to_owned(),
            None => return Err(errors::location("unspecified")),
            Some(asked) if asked == request.region && asked != HOME => asked.to_owned(),
            Some(asked) if request.region == HOME && asked != HOME => asked.to_owned(),
            Some(asked) => return Err(errors::location(asked)),
        };
        let mut buckets = self.lock();
        if let Some(taken) = buckets.get(name) {
            let again = taken.owner == ACCOUNT && taken.region == HOME && region == HOME;
            if !again {
                return Err(errors::taken(taken));
            }
        } else {
            buckets.insert(name.clone(), Bucket::new(name, &region));
        }
        Ok(Reply::empty(200).with("location", &format!("/{name}")))
    }

    fn on_bucket(&self, operation: &str, request: &Request) -> Result<Reply, Refused> {
        let mut buckets = self.lock();
        let bucket = buckets
            .get_mut(&request.bucket)
            .ok_or_else(|| errors::no_such_bucket(&request.bucket))?;
        if bucket.region != request.region {
            return Err(errors::elsewhere(bucket, &request.region));
        }
        let expected = request.header("x-amz-expected-bucket-owner");
        if !bucket.admits_us || expected.is_some_and(|expected| expected != bucket.owner) {
            return Err(errors::access_denied());
        }
        let now = self.clock.now_millis();
        match operation {
            "HeadBucket" => Ok(Reply::empty(200).with("x-amz-bucket-region", &bucket.region)),
            "PutBucketVersioning" => objects::put_versioning(bucket, request),
            "GetBucketVersioning" => Ok(objects::versioning(bucket)),
            "PutObject" => objects::put(bucket, request, now),
            "GetObject" | "HeadObject" => objects::get(bucket, request),
            "DeleteObject" => objects::delete(bucket, request, now),
            _ => Err(errors::not_implemented()),
        }
    }

    fn with(&self, bucket: &str, work: impl FnOnce(&mut Bucket)) -> Result<(), ServiceError> {
        let mut buckets = self.lock();
        let found = buckets.get_mut(bucket);
        work(found.ok_or_else(|| errors::no_such_bucket(bucket).error)?);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        lock(&self.buckets)
    }
}
