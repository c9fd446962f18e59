import type { ComposeModel } from '../../io/compose.ts';
import { canonicalName } from '../../images/reference.ts';
import { idOnStore } from '../images/names.ts';
import type { Context } from './context.ts';

/** Services whose containers the plan makes anew, takes away or brings. */
export function changedServices(context: Context): { recreated: string[]; removed: string[]; added: string[] } {
  const { services, installed, compose } = context;
  if (!compose.model) return { recreated: [], removed: [], added: [] };
  const wanted = Object.keys(compose.model.services);
  return {
    recreated: recreatedServices(context, compose.model),
    // An adopted stack without a bundle is the operator's: what the release does not name may be theirs.
    removed: installed?.origin === 'adopted' ? [] : services.filter((service) => !wanted.includes(service)),
    added: services.length > 0 ? wanted.filter((service) => !services.includes(service)) : [],
  };
}

/** Those whose containers a plain `up` would make anew: another configuration, or another image behind the name. */
function recreatedServices({ containers, names, engine, compose: { hashes } }: Context, model: ComposeModel): string[] {
  return Object.entries(model.services)
    .filter(([service, { image }]) =>
      containers.some((one) => {
        if (one.service !== service || one.oneOff) return false;
        const named = names.find((entry) => canonicalName(entry.name) === canonicalName(image ?? ''));
        return (
          one.configHash !== hashes.get(service) || (named !== undefined && idOnStore(named.image, engine.store) !== one.imageId)
        );
      }),
    )
    .map(([service]) => service);
}
